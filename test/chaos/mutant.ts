import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** A copy of the sources in which one rule of the protocol is left out: the sources have no switches for tests. */
export interface Mutant extends AsyncDisposable {
  readonly directory: string
  /** URL of the directory. */
  readonly source: string
}

export interface Edit {
  /** Below `src`. */
  readonly file: string
  /** What stands in the text, once, and what takes its place. */
  readonly original: string
  readonly faulty: string
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** @throws Error where an original is not in its file exactly once: the source changed, and the fault must follow it */
export async function createMutant(edits: readonly Edit[]): Promise<Mutant> {
  const home = await mkdtemp(join(tmpdir(), 'atomcache-mutant-'))
  const dispose = () => rm(home, { recursive: true, force: true })
  const directory = join(home, 'src')
  try {
    await cp(join(ROOT, 'src'), directory, { recursive: true })
    await cp(join(ROOT, 'package.json'), join(home, 'package.json'))
    await symlink(join(ROOT, 'node_modules'), join(home, 'node_modules'))
    for (const { file, original, faulty } of edits) {
      const path = join(directory, file)
      const parts = (await readFile(path, 'utf8')).split(original)
      if (parts.length !== 2) throw new Error(`${file} has this ${parts.length - 1} times, not once:\n${original}`)
      await writeFile(path, parts.join(faulty))
    }
  } catch (error) {
    await dispose()
    throw error
  }
  return { directory, source: pathToFileURL(directory).href, [Symbol.asyncDispose]: dispose }
}
