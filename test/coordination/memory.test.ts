import t from 'tap'
import { MemoryCoordination } from '../../src/coordination/memory.ts'
import { coordinationSuite } from '../support/coordination-suite.ts'

coordinationSuite(t, async () => {
  const place = new MemoryCoordination()
  return { here: place, there: place }
})
