import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Subject } from './subject.ts'

/** A fault that is put into a copy of the sources. */
export interface Fault {
  readonly file: string
  /** What stands in the text, once, and what takes its place. */
  readonly edits: readonly (readonly [original: string, faulty: string])[]
  /** What is seen of it. */
  readonly violates: RegExp
  /** A seed at which it was found, where that takes long: it is looked at first. */
  readonly near?: number
}

/** The package with a fault, loaded from a patched copy: the sources have no switches for tests. */
export interface Mutant extends AsyncDisposable {
  readonly subject: Subject
}

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

/** @throws Error where an original is not in the file exactly once: the source changed, and the fault must follow it */
export async function createMutant({ file, edits }: Fault): Promise<Mutant> {
  const directory = await mkdtemp(join(tmpdir(), 'atomcache-mutant-'))
  try {
    await cp(join(ROOT, 'src'), join(directory, 'src'), { recursive: true })
    await cp(join(ROOT, 'package.json'), join(directory, 'package.json'))
    await symlink(join(ROOT, 'node_modules'), join(directory, 'node_modules'))
    const path = join(directory, 'src', file)
    let text = await readFile(path, 'utf8')
    for (const [original, faulty] of edits) {
      const parts = text.split(original)
      if (parts.length !== 2) throw new Error(`${file} has this ${parts.length - 1} times, not once:\n${original}`)
      text = parts.join(faulty)
    }
    await writeFile(path, text)
    const { href } = pathToFileURL(join(directory, 'src/index.ts'))
    const subject: Subject = await import(/* @vite-ignore */ href)
    return { subject, [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }) }
  } catch (error) {
    await rm(directory, { recursive: true, force: true })
    throw error
  }
}
