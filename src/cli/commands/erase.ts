import type { Erased, ErasedUser } from '../../changelog/audit.ts'
import type { PocketServer } from '../../server.ts'
import { command } from '../command.ts'
import { CommandError, exitCodes, UsageError } from '../exit.ts'
import { dbOption } from '../log.ts'
import { withPocket } from '../pocket.ts'
import { counted, harmless } from '../terminal.ts'

const held = 'end the server first, or call erase() or eraseUser() of the library where it runs'

export const erase = command({
  name: 'erase',
  summary: 'erase a document, or all that a user wrote, for good',
  usage: '<collection> <documentId> | --user <id>',
  operands: { min: 0, max: 2 },
  about: `Deletes the document, so that every replica drops it when it syncs, and drops at once what the log holds of
it: older versions, what the journal has of it, the digests of its content. The file is written anew, and the audit
chain stays valid. The deletion stays, with the document's id. With --user: every document that this user alone
wrote; in those that others wrote too, the user's content stays and the name, client and address of its writer go;
so do the user's rows of the journal. Backups, and devices that never sync again, keep what they have. Takes the log
for itself.`,
  options: {
    db: dbOption,
    user: { type: 'string', value: '<id>', summary: 'erase what this user wrote' }
  },

  async run ({ options: { db, user }, operands, stdout }) {
    const [collection, documentId] = operands
    if (user === undefined && documentId === undefined) throw new UsageError('erase needs <collection> <documentId>, or --user <id>')
    if (user !== undefined && collection !== undefined) throw new UsageError(`erase --user takes no document, not "${collection}" either`)
    const text = await withPocket(db, { held }, pocket => user === undefined ? document(pocket, collection!, documentId!) : everythingOf(pocket, user))
    await stdout.write(text)
    return exitCodes.ok
  }
})

/** A slip in a name must not look like success. */
async function document (pocket: PocketServer, collection: string, documentId: string): Promise<string> {
  const { versions, journal } = await pocket.history(collection, documentId)
  const erased = await pocket.erase(collection, documentId, { rewrite: true })
  if (versions.length + journal.length === 0) throw new CommandError('failed', `the log holds nothing of ${collection}/${documentId}`)
  return readable(`${collection}/${documentId} is erased`, erased)
}

async function everythingOf (pocket: PocketServer, user: string): Promise<string> {
  const erased = await pocket.eraseUser(user, { rewrite: true })
  if (erased.documents + erased.shared + erased.journal === 0) throw new CommandError('failed', `the log holds nothing of user ${user}`)
  return readableUser(user, erased)
}

function readable (what: string, { versions, journal, walEmptied }: Erased): string {
  const wal = walEmptied ? '' : '; its WAL still holds it, since another process reads the log: end that, and start the server once'
  return `${harmless(what)}: ${counted(versions, 'older version')} and ${counted(journal, 'row')} of the journal are gone${wal}\n`
}

function readableUser (user: string, erased: ErasedUser): string {
  const { documents, shared } = erased
  const left = shared === 0 ? '' : `; ${counted(shared, 'document')} that others wrote too ${shared === 1 ? 'stays' : 'stay'}, without this user's name`
  return readable(`${counted(documents, 'document')} of user ${user} ${documents === 1 ? 'is' : 'are'} erased${left}`, erased)
}
