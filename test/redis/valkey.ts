import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { findServerBinary, isExecutable, mayInstallServerBinary } from './binary.ts'

const run = promisify(execFile)
/** Of this checkout alone: what anybody may write to nobody should run. */
const CACHE = fileURLToPath(new URL('../../node_modules/.cache/', import.meta.url))
const PACKAGES = ['valkey-server', 'valkey-tools']

/**
 * Path of a valkey-server: the one on the PATH; or, where apt may be used, the one in Debian's packages, which are unpacked in a
 * directory of their own and not installed: beside redis-server that would start a second service. `undefined` where there is none.
 */
export async function provideValkey(say: (line: string) => void = console.log): Promise<string | undefined> {
  const found = await findServerBinary(undefined, ['valkey-server'])
  if (found !== undefined) return found
  const home = join(CACHE, 'atomcache-valkey')
  const binary = join(home, 'usr', 'bin', 'valkey-server')
  if (await isExecutable(binary)) return binary
  if (!(await mayInstallServerBinary())) return undefined
  await mkdir(CACHE, { recursive: true })
  const work = await mkdtemp(join(CACHE, 'atomcache-valkey-'))
  try {
    say('No valkey-server on the PATH: unpacking that of Debian (ATOMCACHE_NO_INSTALL=1 forbids this).')
    await download(work)
    const unpacked = join(work, 'root')
    const archives = (await readdir(work)).filter((name) => name.endsWith('.deb'))
    for (const archive of archives) await run('dpkg-deb', ['--extract', join(work, archive), unpacked])
    // Whole or not at all: another run may do the same now.
    await rename(unpacked, home).catch(() => undefined)
    return (await isExecutable(binary)) ? binary : undefined
  } catch (error) {
    say(`There is no Valkey: ${String(error)}`)
    return undefined
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/** From the releases that this system uses, or, where that is too old to have it, from its backports. */
async function download(directory: string): Promise<void> {
  try {
    await run('apt-get', ['download', ...PACKAGES], { cwd: directory })
  } catch {
    const options = await backports(directory)
    await run('apt-get', [...options, 'update'])
    await run('apt-get', [...options, 'download', ...PACKAGES], { cwd: directory })
  }
}

/** Lists and a source of its own, so that those of the system stay as they are. */
async function backports(directory: string): Promise<readonly string[]> {
  const format = ['--format', '$(REPO_URI) $(RELEASE) $(COMPONENT)']
  const { stdout } = await run('apt-get', ['indextargets', 'Identifier: Packages', 'Origin: Debian', ...format])
  const [uri, release, component] = stdout.split('\n')[0]?.split(' ') ?? []
  if (uri === undefined || release === undefined || component === undefined) throw new Error('no Debian to ask')
  const [sources, lists, cache] = [join(directory, 'sources.list'), join(directory, 'lists'), join(directory, 'cache')]
  await Promise.all(
    [join(lists, 'partial'), join(cache, 'archives', 'partial')].map((at) => mkdir(at, { recursive: true })),
  )
  await writeFile(sources, `deb ${uri} ${release}-backports ${component}\n`)
  const settings = {
    'Dir::Etc::sourcelist': sources,
    'Dir::Etc::sourceparts': '-',
    'Dir::State::lists': lists,
    'Dir::Cache': cache,
  }
  return Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`])
}
