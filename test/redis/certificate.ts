import { generate } from 'selfsigned'

/** What a server shows at TLS, as PEM. It is its own authority: who trusts `cert` trusts the server. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

/** One for 127.0.0.1, or for another name alone. */
export async function newCertificate(name?: string): Promise<Certificate> {
  const names = name === undefined ? { type: 7 as const, ip: '127.0.0.1' } : { type: 2 as const, value: name }
  const { cert, private: key } = await generate([{ name: 'commonName', value: name ?? '127.0.0.1' }], {
    keyType: 'ec',
    extensions: [{ name: 'subjectAltName', altNames: [names] }],
  })
  return { cert, key }
}
