import type { Sabotage } from './sabotage.ts'

const authorize = 'test/sync/authorize.test.ts'

export const sabotages: readonly Sabotage[] = [
  {
    breaks: 'promise 6 (Private): only the new version is asked about',
    file: 'src/sync/admission.ts',
    find: "if (!await access.may(user, 'write', key, stored)) return false",
    replace: '',
    test: authorize,
    title: 'promise 6 (Private): nobody takes over'
  },
  {
    breaks: 'promise 6 (Private): whatever a rule answers that is not false allows',
    file: 'src/sync/access.ts',
    find: 'this.#wait(answer, key) : answer === true',
    replace: 'this.#wait(answer, key) : answer !== false',
    test: authorize,
    title: 'promise 6 (Private): what a rule throws, answers too late'
  },
  {
    breaks: 'promise 6 (Private): a repeat is known before its sender is asked about',
    file: 'src/sync/plan.ts',
    find: 'if (denied !== null) return this.#refuseChange(change, denied)',
    replace: 'if (denied !== null && duplicateOf === 0) return this.#refuseChange(change, denied)',
    test: authorize,
    title: 'promise 6 (Private): who guesses'
  },
  {
    breaks: 'promise 6 (Private): conflicts show whatever stands',
    file: 'src/sync/answer.ts',
    find: 'if (entry !== null && await sight.seesHead(caller, entry)) entries.set',
    replace: 'if (entry !== null) entries.set',
    test: authorize,
    title: 'promise 6 (Private): conflict answers hold only'
  },
  {
    breaks: 'promise 6 (Private): what came of a merge is nobody\'s to forbid',
    file: 'src/sync/plan.ts',
    find: 'if (error !== null) return this.#refuseChange(change, error)',
    replace: '',
    test: authorize,
    title: 'promise 6 (Private): what a merge or a rule'
  },
  {
    breaks: 'promise 6 (Private): a history shows every version of a document that is seen',
    file: 'src/sync/history.ts',
    find: 'if (!await shows(row)) continue',
    replace: '',
    test: 'test/sync/history-access.test.ts',
    title: 'promise 6 (Private): of a history'
  },
  {
    breaks: 'promise 6 (Private): what an application throws is logged with the token in it',
    file: 'src/http/authenticate.ts',
    find: "parts.reduce((rest, part) => rest.replaceAll(part, '[token]'), text)",
    replace: 'text',
    test: 'test/security/canaries.test.ts',
    title: 'promise 6 (Private): no token, secret or document'
  },
  {
    breaks: 'promise 6 (Private): a page is believed although compaction dropped what it was judged by',
    file: 'src/sync/page.ts',
    find: 'if (query.view.looksBack && gathered.looked > gathered.rows.length) {',
    replace: 'if (gathered.looked < 0) {',
    test: 'test/sync/page.test.ts',
    title: 'promise 6 (Private): compaction while a page is judged'
  },
  {
    breaks: 'promise 6 (Private): what is told of a write depends on a deletion that its sender never saw',
    file: 'src/sync/plan.ts',
    find: 'if (await this.#isHidden(standing)) return',
    replace: 'if (await this.#isHidden(standing) && change.timestamp < 0) return',
    test: 'test/security/access.test.ts',
    title: 'threat: to learn that there was a document'
  },
  {
    breaks: 'promise 6 (Private): positions name collections of which nothing was shown',
    file: 'src/sync/page.ts',
    find: 'read.filter(([name]) => known.has(name))',
    replace: 'read',
    test: 'test/security/access.test.ts',
    title: 'threat: to read the names of collections'
  },
  {
    breaks: 'promise 6 (Private): hidden versions are merged with',
    file: 'src/sync/plan.ts',
    find: '...visible ? { base, since }',
    replace: '...visible || base !== null ? { base, since }',
    test: 'test/security/access.test.ts',
    title: 'threat: to have a guess of a hidden value'
  },
  {
    breaks: 'promise 9 (Clear): a document is stored though its collection refuses it',
    file: 'src/sync/plan.ts',
    find: 'if (problem !== null) return this.#refuseChange(change, problem)',
    replace: '',
    test: 'test/sync/validation.test.ts',
    title: 'promise 9 (Clear): a document that its collection does not take'
  }
]
