import { generate } from 'selfsigned'

/** What a server shows at TLS, as PEM. It is its own authority: who trusts `cert` trusts the server. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

/** One of this machine's own, for `localhost` and 127.0.0.1, or for another name alone. */
export async function newCertificate(name = 'localhost'): Promise<Certificate> {
  const names = [{ type: 2, value: name }, ...(name === 'localhost' ? [{ type: 7, ip: '127.0.0.1' }] : [])] as const
  const { cert, private: key } = await generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    extensions: [{ name: 'subjectAltName', altNames: [...names] }],
  })
  return { cert, key }
}
