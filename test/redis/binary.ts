import { spawn } from 'node:child_process'
import { access, constants, rm, stat, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'

const NAMES = ['redis-server', 'valkey-server']

/** What to tell somebody whose machine has no server to start. */
export const HOW_TO_GET_A_SERVER =
  'Put redis-server (6.2 or newer) or valkey-server (7.2 or newer) on the PATH; on Debian or Ubuntu, root needs only to unset ATOMCACHE_NO_INSTALL.'

/** Path of the first redis-server or valkey-server on the PATH. */
export async function findServerBinary(path = process.env.PATH ?? '', names = NAMES): Promise<string | undefined> {
  for (const name of names) {
    for (const directory of path.split(delimiter).filter(Boolean)) {
      const file = join(directory, name)
      if (await isExecutable(file)) return file
    }
  }
  return undefined
}

/** Whether `installServerBinary` may try: root on a Debian-like system that did not forbid it. */
export async function mayInstallServerBinary(): Promise<boolean> {
  if (process.env.ATOMCACHE_NO_INSTALL === '1') return false
  return process.getuid?.() === 0 && (await isExecutable('/usr/bin/apt-get'))
}

/** Installs redis-server with apt, without starting the service that comes with the package. */
export async function installServerBinary(): Promise<string> {
  const allowServices = await forbidServices()
  try {
    await apt('update')
    await apt('install', '--yes', '--no-install-recommends', 'redis-server')
  } finally {
    await allowServices()
  }
  const binary = await findServerBinary()
  if (binary === undefined) throw new Error(`apt-get installed no redis-server on the PATH. ${HOW_TO_GET_A_SERVER}`)
  return binary
}

async function apt(...args: string[]): Promise<void> {
  const child = spawn('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=120', ...args], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk
  })
  child.stderr.on('data', (chunk: Buffer) => {
    output += chunk
  })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  if (code !== 0) throw new Error(`apt-get ${args.join(' ')} failed with ${code}:\n${output.slice(-2000)}`)
}

/**
 * Debian starts a package's service when it is installed, unless /usr/sbin/policy-rc.d says no (exit status 101, as in
 * Debian's invoke-rc.d policy). One that is already there is the administrator's and stays.
 */
async function forbidServices(): Promise<() => Promise<void>> {
  const policy = '/usr/sbin/policy-rc.d'
  try {
    await writeFile(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755, flag: 'wx' })
  } catch {
    return async () => {}
  }
  return () => rm(policy, { force: true })
}

export async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK)
    return (await stat(file)).isFile()
  } catch {
    return false
  }
}
