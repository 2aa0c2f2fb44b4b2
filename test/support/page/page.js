/* global EventSource */
import { createClient } from '@pocket/server/client'

/** The documents of one collection and how they look. */
class Replica {
  /** By document id: the document, and the sequence of the version. */
  documents = new Map()
  /** Every sequence that came, in order. */
  sequences = []
  #section
  #unseen

  constructor (id) {
    this.#section = document.getElementById(id)
  }

  apply (event) {
    if (event.type === 'resync') this.#unseen = new Set(this.documents.keys())
    if (event.type !== 'pull-response') return
    for (const { operation, documentId, document, sequence } of event.changes.todos ?? []) {
      this.#unseen?.delete(documentId)
      this.sequences.push(sequence)
      if (operation === 'delete') this.documents.delete(documentId)
      else this.documents.set(documentId, { document, sequence })
    }
    if (!event.hasMore) {
      for (const id of this.#unseen ?? []) this.documents.delete(id)
      this.#unseen = undefined
    }
    this.#render()
  }

  status (text) {
    const status = this.#section.querySelector('.status')
    status.textContent = text
    status.classList.toggle('live', text === 'live')
  }

  #render () {
    const list = this.#section.querySelector('ul')
    const shown = new Map([...list.children].map(item => [item.dataset.version, item]))
    list.replaceChildren(...[...this.documents].sort(([a], [b]) => a < b ? -1 : 1).map(([id, { document, sequence }]) => shown.get(`${id}@${sequence}`) ?? itemOf(id, document, sequence)))
    this.#section.querySelector('.count').textContent = this.documents.size
    this.#section.querySelector('.sequence').textContent = this.sequences.at(-1) ?? '–'
  }
}

function itemOf (id, { title, done = false }, sequence) {
  const item = document.createElement('li')
  item.dataset.version = `${id}@${sequence}`
  item.classList.toggle('done', done)
  const text = document.createElement('span')
  text.textContent = title
  const number = document.createElement('small')
  number.textContent = `#${sequence}`
  item.append(text, number)
  return item
}

function followNatively (replica) {
  const source = new EventSource('/sync/stream?collections=todos&since=0')
  source.onopen = () => replica.status('live')
  source.onerror = () => replica.status(source.readyState === EventSource.CLOSED ? 'closed' : 'reconnecting')
  source.onmessage = ({ data }) => replica.apply(JSON.parse(data))
  source.addEventListener('resync', ({ data }) => replica.apply(JSON.parse(data)))
}

async function followWithClient (replica) {
  for await (const event of createClient({ baseUrl: '' }).stream({ collections: ['todos'] })) {
    if (event.type === 'hello') replica.status('live')
    if (event.type === 'disconnected' || event.type === 'bye') replica.status('reconnecting')
    replica.apply(event)
  }
}

const replicas = { native: new Replica('native'), client: new Replica('client') }
followNatively(replicas.native)
followWithClient(replicas.client).catch(error => replicas.client.status(error.message))

/** For the test: what the page holds. */
globalThis.held = name => {
  const { documents, sequences } = replicas[name]
  return { documents: [...documents].map(([id, { document }]) => [id, document]).sort(), sequences }
}
