
/*
 * The stream of a walsender that decodes with pgoutput, one message at a time,
 * and what a consumer sends back.  Pure C99: no nginx, no libpq, no
 * allocation.  The stream comes from outside: every length is checked, and no
 * input makes a function read beyond what it was given.
 *
 * Source: PostgreSQL's documentation, chapter "Frontend/Backend Protocol",
 * sections "Streaming Replication Protocol" (the messages inside CopyData) and
 * "Logical Replication Message Formats" (those inside XLogData); proto_version
 * '1' with messages 'true', not streamed, not two-phase.
 *
 * Numbers on the wire are big-endian.  LSNs are byte positions in the
 * write-ahead log; 0 is no position.  Instants are int64_t microseconds since
 * the Unix epoch; the wire counts from 2000-01-01, and what lies outside of
 * the type is the nearest that it holds.
 */

#ifndef TOURNAMENT_PGOUTPUT_H
#define TOURNAMENT_PGOUTPUT_H


#include <stddef.h>
#include <stdint.h>


/* a standby status update */
#define TOURNAMENT_PGOUTPUT_STATUS_LEN  34

/* "FFFFFFFF/FFFFFFFF" */
#define TOURNAMENT_PGOUTPUT_LSN_LEN     17


typedef enum {
    TOURNAMENT_PGOUTPUT_KEEPALIVE = 0,
    TOURNAMENT_PGOUTPUT_BEGIN,
    TOURNAMENT_PGOUTPUT_COMMIT,
    TOURNAMENT_PGOUTPUT_MESSAGE,
    TOURNAMENT_PGOUTPUT_OTHER          /* relations, types, origins, rows */
} tournament_pgoutput_e;


typedef struct {
    tournament_pgoutput_e  type;

    uint64_t               end;        /* of the server's log, an LSN */
    int64_t                clock;      /* the server's, as it sent this */

    struct {
        unsigned              reply:1; /* wanted at once */
    } keepalive;

    struct {
        uint64_t              commit;  /* LSN of its commit record */
        int64_t               time;
        uint32_t              xid;     /* the low half of its xid8 */
    } begin;

    struct {
        uint64_t              commit;  /* LSN, as in begin */
        uint64_t              next;    /* LSN behind the commit record */
        int64_t               time;
    } commit;

    /* prefix and content are in the caller's buffer, and not terminated */

    struct {
        unsigned              transactional:1;
        uint64_t              lsn;
        const unsigned char  *prefix;
        size_t                prefix_len;
        const unsigned char  *content;
        size_t                content_len;
    } message;
} tournament_pgoutput_t;


/*
 * Reads one CopyData, len bytes at p.  Returns NULL, and what it is in
 * *event, of which the part that bears type's name is set, and end and clock
 * always.  Returns a text for the log (static, without a full stop) if the
 * bytes are no message of the protocol; then *event is undefined.
 *
 * One that is not known, among XLogData, is OTHER: it ends with its CopyData.
 */

const char *tournament_pgoutput_read(tournament_pgoutput_t *event,
    const unsigned char *p, size_t len);


/*
 * Puts a standby status update, TOURNAMENT_PGOUTPUT_STATUS_LEN bytes, at dst:
 * everything before the LSN applied is written, flushed and applied; the
 * instant now is ours; with reply the server is to answer with a keepalive at
 * once.
 */

void tournament_pgoutput_status(unsigned char *dst, uint64_t applied,
    int64_t now, int reply);


/*
 * Which xid8 has the low half xid, given a snapshot's xmax of a moment ago or
 * later: the nearest one to it.  A message's content is written by anybody who
 * may log in, the xid of BEGIN by the server alone.
 */

uint64_t tournament_pgoutput_xid8(uint32_t xid, uint64_t xmax);


/*
 * An LSN as PostgreSQL writes it: "16/B374D848".  The writer puts it at dst
 * without a terminating NUL and returns its length, at most
 * TOURNAMENT_PGOUTPUT_LSN_LEN.  The reader takes one to eight hexadecimal
 * digits on either side and nothing else; it returns 0, or -1 and leaves *lsn
 * untouched.
 */

size_t tournament_pgoutput_lsn_text(char *dst, uint64_t lsn);
int tournament_pgoutput_lsn(const unsigned char *p, size_t len,
    uint64_t *lsn);


#endif /* TOURNAMENT_PGOUTPUT_H */
