import { expect, test } from 'vitest'
import type { EchoCalls, EchoEvents } from './echo.ts'
import { startProcess } from './processes.ts'
import { isRunning } from './reaper.ts'

const ECHO = new URL('./echo.ts', import.meta.url)

test('calls and their errors cross the process border as what they are', async () => {
  await using child = await startProcess<EchoCalls, EchoEvents>(ECHO, { args: ['hello'], env: { ECHO_ENV: 'world' } })
  const value = { at: new Date(0), map: new Map([['a', undefined]]) }
  expect(await child.call('echo', value)).toEqual(value)
  expect(await child.call('about')).toEqual({ pid: child.pid, args: ['hello'], env: 'world' })
  await expect(child.call('fail', 'on purpose')).rejects.toThrow(new TypeError('on purpose'))
})

test('an event is kept until it is asked for', async () => {
  await using child = await startProcess<EchoCalls, EchoEvents>(ECHO)
  await child.call('tell', 'one')
  const second = child.call('tell', 'two')
  expect(await child.next('told')).toEqual({ text: 'one' })
  expect(await child.next('told')).toEqual({ text: 'two' })
  await second
})

test('a killed process is gone, and its open call rejects', async () => {
  await using child = await startProcess<EchoCalls, EchoEvents>(ECHO)
  const hanging = expect(child.call('hang')).rejects.toThrow('was ended by SIGKILL, as the test asked')
  await child.kill()
  await hanging
  expect(() => process.kill(child.pid, 0)).toThrow('ESRCH')
  await expect(child.call('about')).rejects.toThrow('SIGKILL')
})

test('a paused process answers only when it is resumed', async () => {
  await using child = await startProcess<EchoCalls, EchoEvents>(ECHO)
  let answered = false
  child.pause()
  const answer = child.call('about').then(() => {
    answered = true
  })
  // Another process's full round, started later, is over before the paused one has answered.
  await using other = await startProcess<EchoCalls, EchoEvents>(ECHO)
  await other.call('about')
  expect(answered).toBe(false)
  child.resume()
  await answer
})

test('a process that ends by itself fails its calls and its disposal, with its stderr', async () => {
  const child = await startProcess<EchoCalls, EchoEvents>(ECHO)
  await expect(child.call('crash', 'out of luck')).rejects.toThrow(/exited with 1; its stderr:\n[\s\S]*out of luck/)
  await expect(child[Symbol.asyncDispose]()).rejects.toThrow('out of luck')
})

test('a file that does not load is told, not waited for', async () => {
  await expect(startProcess(new URL('./missing.ts', import.meta.url))).rejects.toThrow('missing.ts')
})

test('a process and its Redis end when the process that started them is killed', async () => {
  await using parent = await startProcess<EchoCalls, EchoEvents>(ECHO)
  const { server, child } = await parent.call('breed')
  await parent.kill()
  await expect.poll(() => [server, child].filter(isRunning)).toEqual([])
})
