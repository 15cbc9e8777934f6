
/*
 * Lists of slugs, in a query (the first byte is even) or as a JSON array: what
 * is found lies in the input, each is a slug, and written as JSON again the
 * list is the same.
 */

#include <string.h>

#include "fuzz.h"
#include "rules/slugs.h"
#include "rules/text.h"


static void fuzz_again(const tournament_slug_t *slugs, size_t n);


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    size_t                  i, n;
    unsigned char          *copy;
    tournament_slug_t       slugs[TOURNAMENT_SLUGS_MAX];
    tournament_slugs_rc_e   rc;

    if (size == 0) {
        return 0;
    }

    copy = malloc(size);
    fuzz_assert(copy != NULL);
    memcpy(copy, data + 1, --size);

    n = 0;

    rc = (data[0] % 2) ? tournament_slugs_json(copy, size, slugs, &n)
                       : tournament_slugs_query(copy, size, slugs, &n);

    if (rc == TOURNAMENT_SLUGS_OK) {
        fuzz_assert(n <= TOURNAMENT_SLUGS_MAX);

        for (i = 0; i < n; i++) {
            fuzz_assert(slugs[i].data >= copy
                        && slugs[i].data + slugs[i].len <= copy + size);
            fuzz_assert(tournament_text_slug_valid(slugs[i].data,
                                                   slugs[i].len));
        }

        fuzz_again(slugs, n);
    }

    free(copy);

    return 0;
}


static void
fuzz_again(const tournament_slug_t *slugs, size_t n)
{
    size_t              i, len, count;
    tournament_slug_t   again[TOURNAMENT_SLUGS_MAX];

    static unsigned char  json[TOURNAMENT_SLUGS_MAX
                               * (TOURNAMENT_SLUG_MAX + 3) + 2];

    len = 0;
    json[len++] = '[';

    for (i = 0; i < n; i++) {
        if (i) {
            json[len++] = ',';
        }

        json[len++] = '"';
        memcpy(json + len, slugs[i].data, slugs[i].len);
        len += slugs[i].len;
        json[len++] = '"';
    }

    json[len++] = ']';

    fuzz_assert(tournament_slugs_json(json, len, again, &count)
                == TOURNAMENT_SLUGS_OK);
    fuzz_assert(count == n);

    for (i = 0; i < n; i++) {
        fuzz_assert(again[i].len == slugs[i].len
                    && memcmp(again[i].data, slugs[i].data, slugs[i].len)
                       == 0);
    }
}
