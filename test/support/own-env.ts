/** For programs that tests start: without the loader that tap hands down to every Node, which takes longer to start than they do. */
export function ownEnv (more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _, ...env } = process.env
  return { ...env, ...more }
}
