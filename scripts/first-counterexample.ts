/** PRELOAD: of a promise that is broken on purpose any counterexample will do; to look for the smallest takes minutes. */
import fc from 'fast-check'

fc.configureGlobal({ endOnFailure: true })
