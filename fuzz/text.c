
/*
 * Texts of a request: a slug is a slug by either reader, an id and the hash of
 * a Last-Event-ID are written as they were read, and a character that is taken
 * for UTF-8 is one by RFC 3629.
 */

#include <inttypes.h>
#include <string.h>

#include "fuzz.h"
#include "rules/text.h"


static size_t fuzz_character(const unsigned char *s, size_t len);


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    char      hex[17], text[TOURNAMENT_INT_LEN];
    size_t    len, i, n, span;
    int64_t   id, again;
    uint64_t  hash;

    if (tournament_text_id(data, size, &id) == 0) {
        fuzz_assert(id >= 0);

        len = tournament_text_int(text, id);
        fuzz_assert(tournament_text_id((unsigned char *) text, len, &again)
                    == 0 && again == id);
    }

    if (tournament_text_hex(data, size, &hash) == 0) {
        (void) snprintf(hex, sizeof(hex), "%016" PRIx64, hash);
        fuzz_assert(size == 16 && memcmp(hex, data, size) == 0);
    }

    span = tournament_text_slug_span(data, size);

    fuzz_assert(span <= size);
    fuzz_assert(tournament_text_slug_valid(data, size)
                == (span == size && size && size <= TOURNAMENT_SLUG_MAX));

    for (i = 0; i < size; i += n ? n : 1) {
        n = tournament_text_utf8(data + i, size - i);
        fuzz_assert(n == fuzz_character(data + i, size - i));
    }

    return 0;
}


/* by the table of well-formed bytes in Unicode's section 3.9 */

static size_t
fuzz_character(const unsigned char *s, size_t len)
{
    size_t  i, n;

    static const struct {
        unsigned char  first, last, low, high, len;
    } rows[] = {
        { 0x00, 0x7f, 0x80, 0xbf, 1 },
        { 0xc2, 0xdf, 0x80, 0xbf, 2 },
        { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
        { 0xe1, 0xec, 0x80, 0xbf, 3 },
        { 0xed, 0xed, 0x80, 0x9f, 3 },
        { 0xee, 0xef, 0x80, 0xbf, 3 },
        { 0xf0, 0xf0, 0x90, 0xbf, 4 },
        { 0xf1, 0xf3, 0x80, 0xbf, 4 },
        { 0xf4, 0xf4, 0x80, 0x8f, 4 }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {

        if (s[0] < rows[i].first || s[0] > rows[i].last
            || len < rows[i].len
            || (rows[i].len > 1
                && (s[1] < rows[i].low || s[1] > rows[i].high)))
        {
            continue;
        }

        for (n = 2; n < rows[i].len; n++) {
            if ((s[n] & 0xc0) != 0x80) {
                return 0;
            }
        }

        return rows[i].len;
    }

    return 0;
}
