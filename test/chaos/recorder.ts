import type { ProcessRecord, Value } from './history.ts'

/** Writes down what happens in this process, and hands it over in batches: what is not handed over dies with the process. */
export interface Recorder {
  write(record: ProcessRecord): void
  /** The id of the value, which is described where it was not met before. */
  meet(value: Value): string
  flush(): void
  close(): void
}

/** ms between two batches. */
const EVERY = 25
/** So many values are remembered as described. */
const MAX_MET = 5000

/** `send` gets a JSON array of records. */
export function createRecorder(send: (batch: string) => void): Recorder {
  let lines: string[] = []
  const met = new Set<string>()
  const timer = setInterval(flush, EVERY)

  function flush(): void {
    if (lines.length === 0) return
    send(`[${lines.join()}]`)
    lines = []
  }

  function write(record: ProcessRecord): void {
    lines.push(JSON.stringify(record))
  }

  return {
    write,
    meet(value) {
      if (met.has(value.id)) return value.id
      if (met.size >= MAX_MET) met.clear()
      met.add(value.id)
      write({ type: 'value', value })
      return value.id
    },
    flush,
    close() {
      clearInterval(timer)
      flush()
    },
  }
}
