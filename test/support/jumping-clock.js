/** Loaded before the program: the wall clock starts up to a day off and jumps again now and then. */
const now = Date.now
let offset = (Math.random() - 0.5) * 2 * 86_400_000
setInterval(() => { offset += (Math.random() - 0.5) * 7_200_000 }, 300).unref()
Date.now = () => Math.round(now() + offset)
