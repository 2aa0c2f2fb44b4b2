/** Made from openapi.yaml by `npm run generate`: do not edit. */
export interface paths {
    "/sync/push": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Changes in, a result for each
         * @description Applied in one step with one result per change; sent again under the same id it takes effect once. 200 also where a change was refused. A change that met a version it did not know is settled by the strategy of its collection: applied, conflict with what stands in conflicts, or merged with the document that came of both.
         */
        post: operations["push"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sync/pull": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Changes since a checkpoint
         * @description Ask again from the answered checkpoint while hasMore is true. With waitMs the answer waits for something new.
         */
        post: operations["pull"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sync/changes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Changes since a cursor, cacheable
         * @description The page of a pull by URL, without a time and with the id "get". The next one begins at since=<checkpoint.global>~e<epoch>[~c<checkpoint.scope>][~s<checkpoint.snapshot>][~h<checkpoint.head>]. Of public collections alone, and asked without credentials, caches may share it; else it is its caller's. Put collections and parameters in alphabetical order, so that equal questions are one. After a 410 add a random r=.
         */
        get: operations["changes"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sync/snapshot": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * All documents, for a new client
         * @description Newline-delimited JSON: a first line with the checkpoint, a line for each live document in the order of sequences, without deletions, and a last line from which pulls go on. What changed meanwhile comes with these. An answer without its last line was cut short: go on with after, or from the beginning after a 410.
         */
        get: operations["snapshot"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sync/history/{collection}/{documentId}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Versions of a document
         * @description Newest first, for as long as superseded versions are kept, and beside them the journal: losers of conflicts and refused changes. Of a document that does not exist, or that you may not read, both are empty.
         */
        get: operations["history"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sync/info": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Protocol versions, features, limits */
        get: operations["info"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sync/stream": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Live changes
         * @description Server-Sent Events. Unnamed events are pull-response messages, named ones hello, ping, resync and bye; each has an id, the cursor to go on from. Frames with other names are to be ignored.
         */
        get: operations["stream"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sync/stream/ticket": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * A ticket for one stream
         * @description For a browser's EventSource, which cannot send headers. It opens one stream, as ?ticket=…, and is spent with that; a stream that was lost needs a new one.
         */
        post: operations["streamTicket"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Whether this node can take writes */
        get: operations["health"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description How far a client has read. Keep it and send it back whole, unknown members too; never move it backwards. */
        Checkpoint: {
            /** @description A place in the one order of the change log. */
            global?: number;
            /** @description While a sync of several pages is under way: the head when a first one began, else where it began. */
            snapshot?: number;
            /** @description Between the pages of one sync: the head that the last one was read under, and its epoch. What was left out of them since it had changed again lies up to there. */
            head?: string;
            /** @description Under which rights it was made: when they change, the server asks for a resync. */
            scope?: string;
            /** @description One position per collection, for clients that keep them apart. */
            sequences?: {
                [key: string]: number;
            };
        } & {
            [key: string]: unknown;
        };
        /** @description One operation on one document. */
        Change: {
            /**
             * @description Treat insert and update both as an upsert.
             * @enum {string}
             */
            operation: "insert" | "update" | "delete";
            /** @description The document's _id: 1 to 512 bytes of UTF-8 without control characters. */
            documentId: string;
            /** @description The whole document; null or absent with delete. */
            document?: {
                [key: string]: unknown;
            } | null;
            /** @description Milliseconds since 1970-01-01 UTC. */
            timestamp: number;
            /** @description In a push the client's own counter, which orders the changes of the message and means nothing else; in a page the entry's place in the log. */
            sequence?: number;
            /** @description In a push: the sequence of the version that was edited; 0 for a document the client believes new. */
            base?: number;
        } & {
            [key: string]: unknown;
        };
        /** @description An accepted change, with its sequence. */
        EntryChange: {
            /**
             * @description Treat insert and update both as an upsert.
             * @enum {string}
             */
            operation: "insert" | "update" | "delete";
            /** @description The document's _id: 1 to 512 bytes of UTF-8 without control characters. */
            documentId: string;
            /** @description The whole document; null with delete. */
            document: {
                [key: string]: unknown;
            } | null;
            /** @description Milliseconds since 1970-01-01 UTC. */
            timestamp: number;
            /** @description A place in the one order of the change log. */
            sequence: number;
        } & {
            [key: string]: unknown;
        };
        /** @description Changes from a client: the unit of retry. Send the same id again until it is answered. */
        PushRequest: {
            /** @enum {string} */
            type: "push";
            /** @description Chosen by the client; the same for every retry of the same message. */
            id: string;
            /** @description Milliseconds since 1970-01-01 UTC. */
            timestamp: number;
            /** @description The collection a document lives in. */
            collection: string;
            checkpoint?: components["schemas"]["Checkpoint"];
            /** @description Which stretch of history the checkpoint lies in. Echo it with the checkpoint. */
            epoch?: string;
            /** @description Which replica writes: a device or a tab. A hint, never an identity. */
            clientId?: string;
            /**
             * @description Apply all changes or none.
             * @default false
             */
            atomic: boolean;
            /** @description At most as many as the limit changesPerPush of GET /sync/info. */
            changes: components["schemas"]["Change"][];
        } & {
            [key: string]: unknown;
        };
        /** @description Why one change was not taken over. */
        ChangeError: {
            /** @description From the error catalogue. */
            code: string;
            detail: string;
            /** @description RFC 6901 pointer into the message. */
            pointer?: string;
        } & {
            [key: string]: unknown;
        };
        /** @description What became of one change. Take it over if its sequence is above your checkpoint; else a page has brought it already, or what replaced it. */
        Result: {
            /** @description Place of the change in the message. */
            index: number;
            documentId?: string;
            /**
             * @description Treat one you do not know as rejected.
             * @enum {string}
             */
            status: "applied" | "duplicate" | "merged" | "conflict" | "rejected" | "skipped";
            /** @description A place in the one order of the change log. */
            sequence?: number;
            /** @description With merged, and with a duplicate of such a change: what came of it, null when that is a deletion. Take it over with its sequence. Absent where there is too much of it, or it is kept no more: the next pull brings what stands. */
            document?: {
                [key: string]: unknown;
            } | null;
            error?: components["schemas"]["ChangeError"];
        } & {
            [key: string]: unknown;
        };
        /** @description The version that stood against a change. */
        Conflict: {
            /** @description The document's _id: 1 to 512 bytes of UTF-8 without control characters. */
            documentId: string;
            /** @description What stands; null when it is deleted. */
            serverDocument: {
                [key: string]: unknown;
            } | null;
            serverChange?: components["schemas"]["EntryChange"];
        } & {
            [key: string]: unknown;
        };
        /** @description What became of a push: one result per change, in order. */
        PushResponse: {
            /** @enum {string} */
            type: "push-response";
            /** @description Chosen by the client; the same for every retry of the same message. */
            id: string;
            /** @description False when any change is conflict, rejected or skipped. */
            success: boolean;
            checkpoint: components["schemas"]["Checkpoint"];
            /** @description Which stretch of history the checkpoint lies in. Echo it with the checkpoint. */
            epoch: string;
            results: components["schemas"]["Result"][];
            /** @description Only when there are any, only documents you may read. */
            conflicts?: components["schemas"]["Conflict"][];
            /** @description Milliseconds since 1970-01-01 UTC. */
            timestamp: number;
        } & {
            [key: string]: unknown;
        };
        /** @description Asks for what changed after a checkpoint. */
        PullRequest: {
            /** @enum {string} */
            type: "pull";
            /** @description Chosen by the client; the same for every retry of the same message. */
            id: string;
            /** @description Milliseconds since 1970-01-01 UTC. */
            timestamp: number;
            /** @description Empty: all that you may read. */
            collections: string[];
            /** @description Entries in all; larger ones are lowered to the server's maximum. */
            limit?: number;
            /** @description Which stretch of history the checkpoint lies in. Echo it with the checkpoint. */
            epoch?: string;
            /** @description Which replica writes: a device or a tab. A hint, never an identity. */
            clientId?: string;
            /** @description Wait this long for something new, in ms; lowered to the server's maximum. */
            waitMs?: number;
            checkpoint?: components["schemas"]["Checkpoint"];
        } & {
            [key: string]: unknown;
        };
        /** @description A page of what changed; also the unnamed event of the stream. */
        PullResponse: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "pull-response";
            /** @description Chosen by the client; the same for every retry of the same message. */
            id: string;
            /** @description The newest entry per document, by collection; each list ascends, and across lists the sequence orders them. */
            changes: {
                [key: string]: components["schemas"]["EntryChange"][];
            };
            checkpoint: components["schemas"]["Checkpoint"];
            /** @description Ask again at once, from this checkpoint. A page may be empty and have more behind it. */
            hasMore: boolean;
            /** @description Which stretch of history the checkpoint lies in. Echo it with the checkpoint. */
            epoch: string;
            /** @description Milliseconds since 1970-01-01 UTC. */
            timestamp?: number;
        } & {
            [key: string]: unknown;
        };
        /** @description The data of a stream event. */
        StreamFrame: components["schemas"]["PullResponse"] | components["schemas"]["Hello"] | components["schemas"]["Ping"] | components["schemas"]["Resync"] | components["schemas"]["Bye"];
        /** @description First event of a stream: where it starts and how long it lives. */
        Hello: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "hello";
            protocol: number;
            /** @description Which stretch of history the checkpoint lies in. Echo it with the checkpoint. */
            epoch: string;
            checkpoint: components["schemas"]["Checkpoint"];
            head: components["schemas"]["Checkpoint"];
            /** @description Without a byte for 2.5 times as long the connection is dead. */
            heartbeatMs: number;
            /** @description The server ends the stream after this time; reconnect. */
            maxDurationMs: number;
            tokenExpiresInMs?: number;
        } & {
            [key: string]: unknown;
        };
        /** @description Heartbeat; its checkpoint also passes what you may not see. */
        Ping: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "ping";
            checkpoint: components["schemas"]["Checkpoint"];
            tokenExpiresInMs?: number;
        } & {
            [key: string]: unknown;
        };
        /** @description Everything from this checkpoint follows; when hasMore is false drop what did not come, except your own unsent changes. */
        Resync: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "resync";
            /** @enum {string} */
            reason: "checkpoint-ahead" | "epoch-changed" | "compacted" | "scope-changed";
            checkpoint: components["schemas"]["Checkpoint"];
            /** @description Which stretch of history the checkpoint lies in. Echo it with the checkpoint. */
            epoch: string;
        } & {
            [key: string]: unknown;
        };
        /** @description Last event of a stream that the server ends. */
        Bye: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "bye";
            /** @enum {string} */
            reason: "max-duration" | "token-expired" | "token-revoked" | "scope-changed" | "shutdown" | "overloaded";
            /** @description Reconnect after this time. */
            retryMs: number;
            checkpoint: components["schemas"]["Checkpoint"];
        } & {
            [key: string]: unknown;
        };
        /** @description A line of a snapshot. */
        SnapshotLine: components["schemas"]["SnapshotStart"] | components["schemas"]["SnapshotDocument"] | components["schemas"]["SnapshotEnd"];
        /** @description First line of a snapshot: the checkpoint that its last line will hand out. To go on behind a line: after=<sequence>~e<epoch>[~c<checkpoint.scope>]~s<checkpoint.global>. */
        SnapshotStart: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "snapshot";
            /** @description Which stretch of history the checkpoint lies in. Echo it with the checkpoint. */
            epoch: string;
            checkpoint: components["schemas"]["Checkpoint"];
        } & {
            [key: string]: unknown;
        };
        /** @description A line of a snapshot: a live document as it stands. Sequences rise from line to line. */
        SnapshotDocument: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "document";
            /** @description The collection a document lives in. */
            collection: string;
            /** @description The document's _id: 1 to 512 bytes of UTF-8 without control characters. */
            documentId: string;
            document: {
                [key: string]: unknown;
            };
            /** @description Milliseconds since 1970-01-01 UTC. */
            timestamp: number;
            /** @description A place in the one order of the change log. */
            sequence: number;
        } & {
            [key: string]: unknown;
        };
        /** @description Last line of a snapshot: it is whole, and pulls go on from this checkpoint. Without it the snapshot was cut short. */
        SnapshotEnd: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            type: "snapshot-end";
            /** @description Which stretch of history the checkpoint lies in. Echo it with the checkpoint. */
            epoch: string;
            checkpoint: components["schemas"]["Checkpoint"];
        } & {
            [key: string]: unknown;
        };
        /** @description Opens one stream for who cannot send headers: a browser's EventSource. */
        StreamTicket: {
            /** @enum {string} */
            type: "ticket";
            /** @description Goes into the URL of one GET /sync/stream, as ?ticket=…. */
            ticket: string;
            /** @description After this time it opens nothing. */
            expiresInMs: number;
        } & {
            [key: string]: unknown;
        };
        /** @description A version of a document that is still kept. */
        Version: {
            /** @description A place in the one order of the change log. */
            sequence: number;
            /**
             * @description Treat insert and update both as an upsert.
             * @enum {string}
             */
            operation: "insert" | "update" | "delete";
            /** @description The whole document; null of a deletion. */
            document: {
                [key: string]: unknown;
            } | null;
            /** @description Milliseconds since 1970-01-01 UTC. */
            timestamp: number;
            /** @description When the server committed it, by its own clock. */
            serverTimestamp: number;
            /** @description Who wrote it; null where the server does not know. */
            userId: string | null;
            /** @description The replica that wrote it; null where it did not say. */
            clientId: string | null;
            /** @description Where it came from; null where the server does not know. */
            address: string | null;
        } & {
            [key: string]: unknown;
        };
        /** @description A change that was not taken over: the loser of a conflict, or a refused one. */
        JournalRow: {
            id: number;
            /** @enum {string} */
            status: "conflict" | "rejected";
            /** @description From the error catalogue, or by which rule it lost. */
            code: string;
            /** @description The change as it came, as text. It may be no JSON, and what was refused for being dangerous still is: show it, do not parse it. */
            raw: string;
            /** @description Of the push that brought it. */
            messageId: string;
            /** @description Milliseconds since 1970-01-01 UTC. */
            serverTimestamp: number;
            /** @description Who wrote it; null where the server does not know. */
            userId: string | null;
            /** @description The replica that wrote it; null where it did not say. */
            clientId: string | null;
        } & {
            [key: string]: unknown;
        };
        /** @description A document's versions, and beside them what was not taken over of it. */
        History: {
            /** @enum {string} */
            type: "history";
            /** @description The collection a document lives in. */
            collection: string;
            /** @description The document's _id: 1 to 512 bytes of UTF-8 without control characters. */
            documentId: string;
            /** @description Newest first; none of a document that does not exist, or that you may not read. */
            versions: components["schemas"]["Version"][];
            /** @description Older versions are kept: ask with before = the last sequence. */
            hasMore: boolean;
            /** @description Newest first. */
            journal: components["schemas"]["JournalRow"][];
            /** @description There are older rows: ask with journalBefore = the last id. */
            journalHasMore: boolean;
        } & {
            [key: string]: unknown;
        };
        /** @description What this server speaks and allows. */
        Info: {
            name: string;
            version: string;
            protocol: {
                min: number;
                max: number;
            };
            features: string[];
            limits: {
                [key: string]: number;
            };
        } & {
            [key: string]: unknown;
        };
        /** @description Whether this node can take writes. */
        Health: {
            /** @enum {string} */
            status: "ok" | "degraded";
            /** @description Open streams. */
            clients: number;
            /** @description Received, not yet committed. */
            pendingChanges: number;
            /** @description When a push or pull was last answered. */
            lastSync: number | null;
            /** @description What is wrong and what the operator does. */
            detail?: string;
        } & {
            [key: string]: unknown;
        };
        /** @description RFC 9457 problem details: the one body of every error. */
        Problem: {
            /** @description urn:sync:problem:<code> */
            type: string;
            title: string;
            status: number;
            /** @description What is wrong, where, and what to do next. */
            detail: string;
            /** @description The machine contract, from the error catalogue. */
            code: string;
            /** @description Whether the same message may succeed when sent again. */
            retryable: boolean;
            /** @description Id of the message that is answered, where it could be read. */
            id?: string;
            /** @enum {string} */
            reason?: "checkpoint-ahead" | "epoch-changed" | "compacted" | "scope-changed";
            checkpoint?: components["schemas"]["Checkpoint"];
            /** @description Which stretch of history the checkpoint lies in. Echo it with the checkpoint. */
            epoch?: string;
            limit?: {
                name: string;
                max: number;
            };
            errors?: {
                pointer: string;
                code: string;
                detail: string;
            }[];
        } & {
            [key: string]: unknown;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    push: {
        parameters: {
            query?: never;
            header?: {
                /** @description Which replica asks: a hint for echo and own-write decisions, never an identity. The message's clientId beats it. */
                "Sync-Client-Id"?: string;
                /** @description The version of the protocol the client speaks; 426 when this server does not. */
                "Sync-Protocol"?: number;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "type": "push",
                 *       "id": "msg-123",
                 *       "timestamp": 1704067200000,
                 *       "collection": "todos",
                 *       "changes": [
                 *         {
                 *           "operation": "insert",
                 *           "documentId": "todo-1",
                 *           "document": {
                 *             "_id": "todo-1",
                 *             "title": "Task"
                 *           },
                 *           "timestamp": 1704067200000,
                 *           "sequence": 1
                 *         }
                 *       ],
                 *       "checkpoint": {
                 *         "global": 100
                 *       }
                 *     }
                 */
                "application/json": components["schemas"]["PushRequest"];
            };
        };
        responses: {
            /** @description Processed: see the results. */
            200: {
                headers: {
                    /** @description The push was seen before; this is its first answer. */
                    "Idempotency-Replayed"?: "true";
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "type": "push-response",
                     *       "id": "msg-123",
                     *       "success": true,
                     *       "checkpoint": {
                     *         "global": 101
                     *       },
                     *       "epoch": "k3f9",
                     *       "results": [
                     *         {
                     *           "index": 0,
                     *           "documentId": "todo-1",
                     *           "status": "applied",
                     *           "sequence": 101
                     *         }
                     *       ],
                     *       "timestamp": 1704067200000
                     *     }
                     */
                    "application/json": components["schemas"]["PushResponse"];
                };
            };
            /** @description Who asks is not known. With a fresh token the same message may be sent again, once. */
            401: {
                headers: {
                    /** @description Bearer realm="sync", and error="invalid_token" where a token was sent. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request is refused. Codes: 400 invalid_json, 400 invalid_message, 400 invalid_cursor, 400 duplicate_header, 400 token_in_query, 400 bad_request, 401 not_authenticated, 401 invalid_token, 403 forbidden, 403 no_tenant, 403 not_loopback, 404 not_found, 405 method_not_allowed, 406 not_acceptable, 408 request_timeout, 410 resync_required, 413 too_large, 414 uri_too_long, 415 unsupported_media_type, 422 id_reused, 426 protocol_unsupported, 429 rate_limited, 431 headers_too_large. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server could not; 503 says with Retry-After when to come again. Codes: 500 internal_error, 501 unsupported_transfer_coding, 503 busy, 503 overloaded, 503 storage_unavailable, 503 authentication_unavailable, 503 access_unavailable, 503 draining. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Any other error. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pull: {
        parameters: {
            query?: never;
            header?: {
                /** @description Which replica asks: a hint for echo and own-write decisions, never an identity. The message's clientId beats it. */
                "Sync-Client-Id"?: string;
                /** @description The version of the protocol the client speaks; 426 when this server does not. */
                "Sync-Protocol"?: number;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "type": "pull",
                 *       "id": "msg-456",
                 *       "timestamp": 1704067200000,
                 *       "collections": [
                 *         "todos"
                 *       ],
                 *       "checkpoint": {
                 *         "global": 95
                 *       },
                 *       "limit": 100
                 *     }
                 */
                "application/json": components["schemas"]["PullRequest"];
            };
        };
        responses: {
            /** @description A page. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "type": "pull-response",
                     *       "id": "msg-456",
                     *       "changes": {
                     *         "todos": [
                     *           {
                     *             "operation": "update",
                     *             "documentId": "todo-1",
                     *             "document": {
                     *               "_id": "todo-1",
                     *               "title": "Updated"
                     *             },
                     *             "timestamp": 1704067200000,
                     *             "sequence": 96
                     *           }
                     *         ]
                     *       },
                     *       "checkpoint": {
                     *         "global": 101
                     *       },
                     *       "hasMore": false,
                     *       "epoch": "k3f9"
                     *     }
                     */
                    "application/json": components["schemas"]["PullResponse"];
                };
            };
            /** @description Who asks is not known. With a fresh token the same message may be sent again, once. */
            401: {
                headers: {
                    /** @description Bearer realm="sync", and error="invalid_token" where a token was sent. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request is refused. Codes: 400 invalid_json, 400 invalid_message, 400 invalid_cursor, 400 duplicate_header, 400 token_in_query, 400 bad_request, 401 not_authenticated, 401 invalid_token, 403 forbidden, 403 no_tenant, 403 not_loopback, 404 not_found, 405 method_not_allowed, 406 not_acceptable, 408 request_timeout, 410 resync_required, 413 too_large, 414 uri_too_long, 415 unsupported_media_type, 422 id_reused, 426 protocol_unsupported, 429 rate_limited, 431 headers_too_large. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server could not; 503 says with Retry-After when to come again. Codes: 500 internal_error, 501 unsupported_transfer_coding, 503 busy, 503 overloaded, 503 storage_unavailable, 503 authentication_unavailable, 503 access_unavailable, 503 draining. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Any other error. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    changes: {
        parameters: {
            query?: {
                /** @description Names, separated by commas; absent: all that you may read. */
                collections?: string;
                /** @description The epoch of since, where the cursor does not hold it. */
                epoch?: string;
                /** @description Entries in all; larger ones are lowered to the server's maximum. */
                limit?: number;
                /** @description A cursor; absent: 0, the beginning. */
                since?: string;
                /** @description Wait this many seconds for something new; lowered to the server's maximum. Such an answer is not kept. */
                wait?: number;
            };
            header?: {
                /** @description Answers 304 where nothing else would come. */
                "If-None-Match"?: string;
                /** @description The version of the protocol the client speaks; 426 when this server does not. */
                "Sync-Protocol"?: number;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page. */
            200: {
                headers: {
                    /** @description Of exactly these bytes. */
                    ETag?: string;
                    /** @description Who may keep it, and for how long. */
                    "Cache-Control"?: string;
                    [name: string]: unknown;
                };
                content: {
                    /**
                     * @example {
                     *       "type": "pull-response",
                     *       "id": "get",
                     *       "changes": {
                     *         "todos": [
                     *           {
                     *             "operation": "update",
                     *             "documentId": "todo-1",
                     *             "document": {
                     *               "_id": "todo-1",
                     *               "title": "Updated"
                     *             },
                     *             "timestamp": 1704067200000,
                     *             "sequence": 96
                     *           }
                     *         ]
                     *       },
                     *       "checkpoint": {
                     *         "global": 101
                     *       },
                     *       "hasMore": false,
                     *       "epoch": "k3f9"
                     *     }
                     */
                    "application/json": components["schemas"]["PullResponse"];
                };
            };
            /** @description What If-None-Match names is what would be answered. */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": unknown;
                };
            };
            /** @description Who asks is not known. With a fresh token the same message may be sent again, once. */
            401: {
                headers: {
                    /** @description Bearer realm="sync", and error="invalid_token" where a token was sent. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request is refused. Codes: 400 invalid_json, 400 invalid_message, 400 invalid_cursor, 400 duplicate_header, 400 token_in_query, 400 bad_request, 401 not_authenticated, 401 invalid_token, 403 forbidden, 403 no_tenant, 403 not_loopback, 404 not_found, 405 method_not_allowed, 406 not_acceptable, 408 request_timeout, 410 resync_required, 413 too_large, 414 uri_too_long, 415 unsupported_media_type, 422 id_reused, 426 protocol_unsupported, 429 rate_limited, 431 headers_too_large. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server could not; 503 says with Retry-After when to come again. Codes: 500 internal_error, 501 unsupported_transfer_coding, 503 busy, 503 overloaded, 503 storage_unavailable, 503 authentication_unavailable, 503 access_unavailable, 503 draining. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Any other error. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    snapshot: {
        parameters: {
            query?: {
                /** @description Goes on with a snapshot that was cut, behind the last line that came: <sequence>~e<epoch>[~c<checkpoint.scope>]~s<checkpoint.global>, of the first line but the sequence. */
                after?: string;
                /** @description Names, separated by commas; absent: all that you may read. */
                collections?: string;
            };
            header?: {
                /** @description The version of the protocol the client speaks; 426 when this server does not. */
                "Sync-Protocol"?: number;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Newline-delimited JSON: a first line with the checkpoint, a line for each live document in the order of sequences, without deletions, and a last line from which pulls go on. What changed meanwhile comes with these. An answer without its last line was cut short: go on with after, or from the beginning after a 410. */
            200: {
                headers: {
                    /** @description Who may keep it, and for how long. */
                    "Cache-Control"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/x-ndjson": string;
                };
            };
            /** @description Who asks is not known. With a fresh token the same message may be sent again, once. */
            401: {
                headers: {
                    /** @description Bearer realm="sync", and error="invalid_token" where a token was sent. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request is refused. Codes: 400 invalid_json, 400 invalid_message, 400 invalid_cursor, 400 duplicate_header, 400 token_in_query, 400 bad_request, 401 not_authenticated, 401 invalid_token, 403 forbidden, 403 no_tenant, 403 not_loopback, 404 not_found, 405 method_not_allowed, 406 not_acceptable, 408 request_timeout, 410 resync_required, 413 too_large, 414 uri_too_long, 415 unsupported_media_type, 422 id_reused, 426 protocol_unsupported, 429 rate_limited, 431 headers_too_large. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server could not; 503 says with Retry-After when to come again. Codes: 500 internal_error, 501 unsupported_transfer_coding, 503 busy, 503 overloaded, 503 storage_unavailable, 503 authentication_unavailable, 503 access_unavailable, 503 draining. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Any other error. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    history: {
        parameters: {
            query?: {
                /** @description Only versions below this sequence: the last one of the page before. */
                before?: number;
                /** @description Only journal rows below this id. */
                journalBefore?: number;
                /** @description Of each list at most; larger ones are lowered to the server's maximum for pulls. */
                limit?: number;
            };
            header?: {
                /** @description The version of the protocol the client speaks; 426 when this server does not. */
                "Sync-Protocol"?: number;
            };
            path: {
                /** @description The collection's name. */
                collection: string;
                /** @description The document's id, percent-encoded, slashes too. */
                documentId: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page, newest first. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["History"];
                };
            };
            /** @description Who asks is not known. With a fresh token the same message may be sent again, once. */
            401: {
                headers: {
                    /** @description Bearer realm="sync", and error="invalid_token" where a token was sent. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request is refused. Codes: 400 invalid_json, 400 invalid_message, 400 invalid_cursor, 400 duplicate_header, 400 token_in_query, 400 bad_request, 401 not_authenticated, 401 invalid_token, 403 forbidden, 403 no_tenant, 403 not_loopback, 404 not_found, 405 method_not_allowed, 406 not_acceptable, 408 request_timeout, 410 resync_required, 413 too_large, 414 uri_too_long, 415 unsupported_media_type, 422 id_reused, 426 protocol_unsupported, 429 rate_limited, 431 headers_too_large. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server could not; 503 says with Retry-After when to come again. Codes: 500 internal_error, 501 unsupported_transfer_coding, 503 busy, 503 overloaded, 503 storage_unavailable, 503 authentication_unavailable, 503 access_unavailable, 503 draining. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Any other error. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    info: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What this server speaks and allows. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Info"];
                };
            };
            /** @description The request is refused. Codes: 400 invalid_json, 400 invalid_message, 400 invalid_cursor, 400 duplicate_header, 400 token_in_query, 400 bad_request, 401 not_authenticated, 401 invalid_token, 403 forbidden, 403 no_tenant, 403 not_loopback, 404 not_found, 405 method_not_allowed, 406 not_acceptable, 408 request_timeout, 410 resync_required, 413 too_large, 414 uri_too_long, 415 unsupported_media_type, 422 id_reused, 426 protocol_unsupported, 429 rate_limited, 431 headers_too_large. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server could not; 503 says with Retry-After when to come again. Codes: 500 internal_error, 501 unsupported_transfer_coding, 503 busy, 503 overloaded, 503 storage_unavailable, 503 authentication_unavailable, 503 access_unavailable, 503 draining. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Any other error. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    stream: {
        parameters: {
            query?: {
                /** @description Names, separated by commas; absent: all that you may read. */
                collections?: string;
                /** @description A cursor, or "now" (the default). */
                since?: string;
                /** @description The epoch of since, where the cursor does not hold it. */
                epoch?: string;
                /** @description Anything random, so that nothing between joins two streams into one. */
                c?: string;
            };
            header?: {
                /** @description Where to go on; beats since. */
                "Last-Event-ID"?: string;
                /** @description Which replica asks: a hint for echo and own-write decisions, never an identity. The message's clientId beats it. */
                "Sync-Client-Id"?: string;
                /** @description The version of the protocol the client speaks; 426 when this server does not. */
                "Sync-Protocol"?: number;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Server-Sent Events. Unnamed events are pull-response messages, named ones hello, ping, resync and bye; each has an id, the cursor to go on from. Frames with other names are to be ignored. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
            /** @description Who asks is not known. With a fresh token the same message may be sent again, once. */
            401: {
                headers: {
                    /** @description Bearer realm="sync", and error="invalid_token" where a token was sent. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request is refused. Codes: 400 invalid_json, 400 invalid_message, 400 invalid_cursor, 400 duplicate_header, 400 token_in_query, 400 bad_request, 401 not_authenticated, 401 invalid_token, 403 forbidden, 403 no_tenant, 403 not_loopback, 404 not_found, 405 method_not_allowed, 406 not_acceptable, 408 request_timeout, 410 resync_required, 413 too_large, 414 uri_too_long, 415 unsupported_media_type, 422 id_reused, 426 protocol_unsupported, 429 rate_limited, 431 headers_too_large. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server could not; 503 says with Retry-After when to come again. Codes: 500 internal_error, 501 unsupported_transfer_coding, 503 busy, 503 overloaded, 503 storage_unavailable, 503 authentication_unavailable, 503 access_unavailable, 503 draining. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Any other error. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    streamTicket: {
        parameters: {
            query?: never;
            header?: {
                /** @description The version of the protocol the client speaks; 426 when this server does not. */
                "Sync-Protocol"?: number;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Use it at once. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StreamTicket"];
                };
            };
            /** @description Who asks is not known. With a fresh token the same message may be sent again, once. */
            401: {
                headers: {
                    /** @description Bearer realm="sync", and error="invalid_token" where a token was sent. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request is refused. Codes: 400 invalid_json, 400 invalid_message, 400 invalid_cursor, 400 duplicate_header, 400 token_in_query, 400 bad_request, 401 not_authenticated, 401 invalid_token, 403 forbidden, 403 no_tenant, 403 not_loopback, 404 not_found, 405 method_not_allowed, 406 not_acceptable, 408 request_timeout, 410 resync_required, 413 too_large, 414 uri_too_long, 415 unsupported_media_type, 422 id_reused, 426 protocol_unsupported, 429 rate_limited, 431 headers_too_large. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The server could not; 503 says with Retry-After when to come again. Codes: 500 internal_error, 501 unsupported_transfer_coding, 503 busy, 503 overloaded, 503 storage_unavailable, 503 authentication_unavailable, 503 access_unavailable, 503 draining. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Any other error. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    health: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It can; where it is degraded all the same, `detail` says what to mend. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
            /** @description It cannot, or it is shutting down. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
            /** @description The request is refused. Codes: 400 invalid_json, 400 invalid_message, 400 invalid_cursor, 400 duplicate_header, 400 token_in_query, 400 bad_request, 401 not_authenticated, 401 invalid_token, 403 forbidden, 403 no_tenant, 403 not_loopback, 404 not_found, 405 method_not_allowed, 406 not_acceptable, 408 request_timeout, 410 resync_required, 413 too_large, 414 uri_too_long, 415 unsupported_media_type, 422 id_reused, 426 protocol_unsupported, 429 rate_limited, 431 headers_too_large. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Any other error. */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
}
