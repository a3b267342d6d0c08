/** An entry of the package as it is published: run from source it would carry what the loader adds to it. */
export function built<Entry>(name: string): Promise<Entry> {
  return import(new URL(`../dist/${name}.js`, import.meta.url).href)
}
