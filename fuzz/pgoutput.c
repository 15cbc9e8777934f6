
/*
 * The stream of a walsender: whatever is read lies in the input, and what we
 * write is what we read.
 */

#include "fuzz.h"
#include "feed/pgoutput.h"
#include "feed/snapshot.h"


static void fuzz_within(const unsigned char *p, size_t len,
    const unsigned char *data, size_t size);
static void fuzz_lsn(const unsigned char *data, size_t size);
static void fuzz_snapshot(const unsigned char *data, size_t size);


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    uint64_t               xid8;
    tournament_pgoutput_t  event;

    fuzz_lsn(data, size);
    fuzz_snapshot(data, size);

    if (tournament_pgoutput_read(&event, data, size) != NULL) {
        return 0;
    }

    switch (event.type) {

    case TOURNAMENT_PGOUTPUT_MESSAGE:
        fuzz_within(event.message.prefix, event.message.prefix_len, data,
                    size);
        fuzz_within(event.message.content, event.message.content_len, data,
                    size);
        break;

    case TOURNAMENT_PGOUTPUT_BEGIN:
        xid8 = tournament_pgoutput_xid8(event.begin.xid, event.end);
        fuzz_assert((uint32_t) xid8 == event.begin.xid);
        break;

    default:
        break;
    }

    return 0;
}


static void
fuzz_within(const unsigned char *p, size_t len, const unsigned char *data,
    size_t size)
{
    fuzz_assert(p >= data && len <= size
                && (size_t) (p - data) <= size - len);
}


static void
fuzz_lsn(const unsigned char *data, size_t size)
{
    char      text[TOURNAMENT_PGOUTPUT_LSN_LEN];
    size_t    len;
    uint64_t  lsn, again;

    if (tournament_pgoutput_lsn(data, size, &lsn) != 0) {
        return;
    }

    len = tournament_pgoutput_lsn_text(text, lsn);

    fuzz_assert(tournament_pgoutput_lsn((unsigned char *) text, len, &again)
                == 0);
    fuzz_assert(again == lsn);
}


static void
fuzz_snapshot(const unsigned char *data, size_t size)
{
    tournament_snapshot_t  snapshot;

    if (tournament_snapshot_read(&snapshot, data, size) != 0) {
        return;
    }

    fuzz_within(snapshot.xip, snapshot.len, data, size);

    fuzz_assert(!tournament_snapshot_shows(&snapshot, UINT64_MAX));
    (void) tournament_snapshot_shows(&snapshot, snapshot.xmin
                                     + (snapshot.xmax - snapshot.xmin) / 2);
}
