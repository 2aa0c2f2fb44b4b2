/** The ten promises of the design, by the word that tests and the README name them with. */
export const promises = ['Durable', 'Ordered', 'Once', 'Safe checkpoints', 'Live is pull', 'Private', 'Isolated', 'Convergent', 'Clear', 'Not ruled by client clocks'] as const

/** Promises that no test can hold yet, by number, with the reason; a line goes when its test comes. */
export const notYet: Readonly<Record<number, string>> = {
  6: 'authentication, authorization and channels are not built yet'
}
