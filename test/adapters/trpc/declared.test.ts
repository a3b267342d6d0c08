import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { expect, test } from 'vitest'

const file = (name: string) => fileURLToPath(new URL(name, import.meta.url))

test('declarations of a router with all of it can be emitted', { timeout: 60_000 }, () => {
  const { options } = ts.parseJsonConfigFileContent(
    ts.readConfigFile(file('../../../tsconfig.json'), ts.sys.readFile).config,
    ts.sys,
    file('../../..'),
  )
  const program = ts.createProgram([file('declared.ts')], { ...options, declaration: true })
  const source = program.getSourceFile(file('declared.ts'))
  const said = [...program.getSemanticDiagnostics(source), ...program.getDeclarationDiagnostics(source)]
  expect(said.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))).toEqual([])
})
