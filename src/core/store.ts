/**
 * The contract between the cache, which decides, and a store, which keeps.
 *
 * A store holds two things per id: an **entry** (bytes with a time to live) and at most one **flight** (the token of
 * the leader that computes the value now, the instances that wait for it, and a lease after which it is gone). It holds
 * two more per tag: an **index** (the ids that may have an entry with the tag) and an **epoch** (when the tag was
 * invalidated last, by the store's **clock** of tags). And per group of leaders a **queue** of tickets, the first of which
 * have a place. Every method below is one atomic step, over one id, tag or group where it does not say more. A store decides nothing: when to read, claim, renew or end, what may be stored and for how
 * long, is said to it. Whoever writes a store runs `test/stores/contract.ts` on it.
 *
 * Rules for every store:
 * - Ids and tags are well-formed strings of at most 256 bytes; every one is legal, also the empty one and those with
 *   braces.
 * - The first 20 bytes of an entry are its **mark** (`markOf`, exported by the package, gives them): `atc1` and, as 16
 *   ASCII characters, its **stamp**: the token of the flight that published it. Of bytes that are not ours the mark is
 *   their first 20, or fewer. Stores compare marks; they never look further into an entry.
 * - Bytes that are handed in or out may be shared by all: nobody writes into them.
 * - Faults are thrown as `StoreError`; nothing is resent: a command that ran twice, or late, can revive what an
 *   invalidation removed.
 * - A message may be lost, doubled, late or early. It must never be made up: id, token and outcome are of one flight.
 */
import type { Bytes } from './codec.ts'

/** Where entries and flights are kept; many caches, in one process or in many, may open the same. */
export interface Store {
  /** For messages and statistics: `'memory'`, `'redis'`. */
  readonly name: string
  /** Opens the store for one cache. Returns at once; connecting goes on behind it. Throws only for bad arguments. */
  open(link: Link): Session
}

/** What a store is told about the cache that opens it, and how it speaks to that cache. */
export interface Link {
  /** Prefix of every key and channel: 1–100 characters, no braces, no white space. */
  readonly namespace: string
  /** Random, one per cache: names its inbox. */
  readonly instanceId: string
  /** ms; before the first connection commands wait this long for it, then reject as `UNREACHABLE`. */
  readonly commandTimeout: number
  /** Must not throw; is never called from inside a call of the session, nor after `close` has resolved. */
  tell(event: StoreEvent): void
}

export type StoreEvent =
  /** A flight that this instance had registered for has ended. */
  | { readonly type: 'message'; readonly message: Message }
  /** What another cache, or this one, announced to all. */
  | { readonly type: 'notice'; readonly notice: Notice }
  /**
   * From now on messages and notices arrive (`true`), or may be lost (`false`, which may be said again). Of a connection
   * that dies in silence nobody learns at once: then the lease bounds the wait.
   */
  | { readonly type: 'inbox'; readonly confirmed: boolean }
  /** Something failed outside of any call: a connection, a message that could not be understood. */
  | { readonly type: 'fault'; readonly error: unknown }
  /**
   * The store may drop keys to make room (`policy` is its name for how), or has dropped `evicted` since it was last
   * asked. Indexes and epochs may be among them: then an invalidation by tag misses entries.
   */
  | { readonly type: 'eviction'; readonly policy: string; readonly evicted: number }

/** The end of a flight, as its waiters are told. */
export interface Message {
  readonly id: string
  /** The token of the flight that ended. */
  readonly token: string
  readonly outcome: Outcome
}

export type Outcome =
  /** The value, inside the message. */
  | { readonly type: 'value'; readonly entry: Bytes }
  /** The value is stored: read it. */
  | { readonly type: 'ready' }
  /** The loader failed, and everybody may know how. */
  | { readonly type: 'error'; readonly error: Bytes }
  /** Nothing came of it (invalidated, released): claim again. */
  | { readonly type: 'again' }
  /** Neither value nor error may be shared: run the loader without a flight. */
  | { readonly type: 'alone' }
  /** It has not ended: its leader waits for a place in its group. */
  | { readonly type: 'queued' }

/** What one cache tells all others of its namespace: these ids were invalidated or set, these tags invalidated. */
export interface Notice {
  /** The sender's `instanceId`. */
  readonly from: string
  readonly ids: readonly string[]
  readonly tags: readonly string[]
  /** The whole namespace was cleared. */
  readonly all: boolean
}

/** What a claimer has seen at the id: the mark it read (ours or foreign), nothing, or it does not care (`'any'`). */
export type Seen = Bytes | 'none' | 'any'

export interface ClaimRequest {
  /** A new random token of 16 characters. */
  readonly token: string
  /** An entry with another mark than this is a hit. */
  readonly seen: Seen
  /** ms. */
  readonly lease: number
}

/** What a claim found: an entry unlike the one seen, no flight (now it is the claimer's), or somebody's flight. */
export type ClaimReply =
  | { readonly type: 'hit' }
  | {
      readonly type: 'lead'
      /** The mark of what is at the id. */
      readonly present: Bytes | 'none'
      /**
       * The clock of tags, read and kept no later than this reply: every later `step` gives more. `undefined` where it
       * could not be read in time.
       */
      readonly clock: number | undefined
    }
  | {
      readonly type: 'wait'
      /** The leader's. Only messages with this token count. */
      readonly token: string
      /** ms until the lease ends, unless it is renewed. */
      readonly leaseLeft: number
      readonly present: Bytes | 'none'
      /** The leader waits for a place in its group. */
      readonly queued: boolean
    }

/** How a leader ends its flight. */
export type Ending =
  /** `ttl` in ms, greater than 0, or `Infinity`. */
  | { readonly type: 'value'; readonly entry: Bytes; readonly ttl: number }
  /** For the waiters only; nothing is stored. `outdates`: what is there is not to be kept any more, and is deleted. */
  | { readonly type: 'share'; readonly entry: Bytes; readonly outdates?: boolean | undefined }
  /** `outdates` as in `share`. */
  | { readonly type: 'error'; readonly error: Bytes; readonly outdates?: boolean | undefined }
  | { readonly type: 'again' }
  /** `outdates` as in `share`. */
  | { readonly type: 'alone'; readonly outdates?: boolean | undefined }

export type Ended =
  /**
   * `refused` says why an entry that was to be stored was only shared (out of memory, a key of another type): what was
   * there before is there still.
   */
  | { readonly type: 'ok'; readonly stored: boolean; readonly refused?: string }
  /** The flight was not this token's any more: nothing was written and nobody told. */
  | { readonly type: 'fenced' }

/** How a ticket stands in the queue of its group. */
export interface Standing {
  /** How many stand before it. */
  readonly ahead: number
  /** ms until the first lease in the queue runs out, unless it is renewed. */
  readonly leaseLeft: number
}

/** A part of a listing. It goes on at `next`; without it the listing is complete. */
export interface Page {
  readonly ids: readonly string[]
  readonly next?: string
}

/** A store as one cache uses it. */
export interface Session {
  /** Resolves when connected and the inbox is confirmed; rejects with `CLOSED` after `close()`. */
  ready(): Promise<void>
  /** The store's clock as well as it is known here: ms since the epoch. */
  now(): number
  /** The bytes at the id, whoever wrote them. `WRONG_TYPE` for what is not bytes. Always the newest: no replicas. */
  read(id: string): Promise<Bytes | undefined>
  /**
   * As `read`, in order and in one round trip; what is not bytes is `undefined`, and what one of several servers did not say.
   */
  readMany(ids: readonly string[]): Promise<readonly (Bytes | undefined)[]>
  /**
   * In one step: an entry that is not `seen` → `hit`; no flight, or one with this very token → it is this token's,
   * `lead`; another flight → this instance is registered with it, `wait`, and will be told of its end unless its inbox is
   * lost. It must work where memory is full.
   */
  claim(id: string, request: ClaimRequest): Promise<ClaimReply>
  /**
   * Sets the lease anew if the flight is still this token's. How many instances wait, or `'lost'`. `queued`: the leader waits for a
   * place; who waits is told once, and who claims learns of it, until a renewal without it.
   */
  renew(id: string, token: string, lease: number, queued?: boolean): Promise<number | 'lost'>
  /**
   * If the flight is still this token's: stores what is to be stored, deletes the flight, tells the waiters, in that
   * order; whatever of it fails, the rest is done. Otherwise `fenced`. An entry with this stamp already there: `ok`.
   * A value too large for a message is told as `ready` where it was stored, else as `alone`.
   */
  end(id: string, token: string, ending: Ending): Promise<Ended>
  /**
   * Stores without a flight: ends whatever flight there is with this value, under the token found. Rejects, changing
   * nothing, if refused. `ttl` as in `Ending`. The cache announces it; the store need not.
   */
  set(id: string, entry: Bytes, ttl: number): Promise<void>
  /**
   * For a write with tags: deletes the entry, which that outdates (a key of another type is left alone), and makes the
   * flight this token's: whoever led is fenced, whoever waits is told `again` under the
   * token found; who waits for this very token, because the command ran before, goes on waiting. It must work where memory
   * is full. The clock of tags, as in `lead`; rejects where it can't be read.
   */
  take(id: string, token: string, lease: number): Promise<number>
  /**
   * For each id: deletes the entry and the flight, whose waiters are told `again` under the token found. A key of another
   * type is left alone. At most 1,000 ids, each a step of its own; rejects if any may not have been removed, with those in
   * `StoreError.ids` where they are known. The cache announces it; the store need not.
   */
  remove(ids: readonly string[]): Promise<void>
  /**
   * For each tag: adds the id to its index, and *then* reads its epoch; the greatest epoch, 0 for none. In the index the
   * id stays for at least `life` ms (or `Infinity`), and no less than it was to stay before. What is in an index for
   * longer than its life is dropped, a little with each call. An id without entry and flight need not be in it. It must
   * work where memory is full.
   */
  index(id: string, tags: readonly string[], life: number): Promise<number>
  /**
   * The ticket stands in the queue of the group: where it stood, or last; its lease is set anew. Tickets whose lease has run out are
   * dropped. The first `places` have a place: who comes to one because others are gone is told `again`, with the group as the id and
   * the ticket as the token. A ticket is 16 characters, as a token. It must work where memory is full.
   */
  enter(group: string, ticket: string, places: number, lease: number): Promise<Standing>
  /** The ticket leaves the queue; who comes to one of the `places` by that is told as in `enter`. */
  leave(group: string, ticket: string, places: number): Promise<void>
  /** Moves the clock of tags on: more than it ever gave. An integer below 2^53. */
  step(): Promise<number>
  /** Sets the tag's epoch to `clock`, unless it is greater; it is kept for a day. A `sweep` with this clock may follow. */
  mark(tag: string, clock: number): Promise<void>
  /** The ids in the tag's index: each that is in it from the first page to the last is in one of them, maybe in several. */
  members(tag: string, at?: string): Promise<Page>
  /** Deletes the tag's index, unless an id was added to it, or it was marked with another clock, since `mark(tag, clock)`. */
  sweep(tag: string, clock: number): Promise<void>
  /**
   * All ids of the namespace that have an entry or a flight, and all tags that have an index: each that is there from the
   * first page to the last is in one of them, maybe in several.
   */
  list(at?: string): Promise<Page & { readonly tags: readonly string[] }>
  /** Tells all caches of the namespace, the sender too. */
  announce(notice: Notice): Promise<void>
  /** Closes what the store opened for this session, within a second; calls after it, and unanswered ones, reject. */
  close(): Promise<void>
}
