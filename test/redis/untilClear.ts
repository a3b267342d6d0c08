/** ms that anything may take which has to come. */
const LIMIT = 30_000

/** Asks again and again until nothing speaks against it any more; the last objection is in the error. */
export async function untilClear(
  objection: () => Promise<string | undefined>,
  what: string,
  limit = LIMIT,
): Promise<void> {
  const startedAt = performance.now()
  for (;;) {
    const objects = await objection().catch((error) => String(error))
    if (objects === undefined) return
    if (performance.now() - startedAt > limit) throw new Error(`${what} did not come within ${limit} ms: ${objects}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
