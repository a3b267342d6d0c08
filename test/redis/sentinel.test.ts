import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isRunning } from './reaper.ts'
import { type RedisSentinel, startSentinel } from './sentinel.ts'

describe('a master behind three sentinels', () => {
  let guarded: RedisSentinel
  beforeAll(async () => {
    guarded = await startSentinel()
  })
  afterAll(() => guarded[Symbol.asyncDispose]())

  test('is killed, replaced, and comes back as a replica', async () => {
    const master = await guarded.master()
    expect(master).toBe(guarded.nodes[0])
    const client = guarded.client()
    await client.set('key', 'value')
    await guarded.replicated()
    await master.server.kill()
    const successor = await guarded.replaced(master)
    expect(await successor.ask('GET', 'key')).toBe('value')
    await guarded.revive(master)
    expect(await master.role()).toBe('replica')
    expect(await master.ask('GET', 'key')).toBe('value')
    await expect(master.ask('SET', 'key', 'other')).rejects.toThrow('READONLY')
  })

  test('is paused until it is replaced, and made a replica when it wakes up', async () => {
    const master = await guarded.master()
    master.server.pause()
    const successor = await guarded.replaced(master)
    expect(successor).not.toBe(master)
    master.server.resume()
    await guarded.settled()
    expect(await master.role()).toBe('replica')
  })

  test('is replaced because somebody asks for it, and made a replica', { timeout: 60_000 }, async () => {
    const master = await guarded.master()
    const successor = await guarded.handover(master)
    expect(await successor.role()).toBe('master')
    await guarded.settled()
    expect(await master.role()).toBe('replica')
  })
})

test('what is started ends with it, and clients come through proxies where they are asked for', async () => {
  const guarded = await startSentinel({ proxied: true, replicas: 1 })
  const master = await guarded.master()
  expect(guarded.natMap[`127.0.0.1:${master.server.port}`]).toEqual({ host: '127.0.0.1', port: master.proxy.port })
  const pids = [...guarded.nodes.map(({ server }) => server.pid), ...guarded.sentinels.map(({ pid }) => pid)]
  expect(pids.map(isRunning)).toEqual([true, true, true, true, true])
  await guarded[Symbol.asyncDispose]()
  expect(pids.map(isRunning)).toEqual([false, false, false, false, false])
})
