
/*
 * The header Accept: a list means the same in one header and in two, and in
 * any case of its letters, and a quality is one.
 */

#include <ctype.h>
#include <string.h>

#include "fuzz.h"
#include "rules/accept.h"


static void fuzz_same(tournament_accept_t *a, tournament_accept_t *b);


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    size_t                i;
    unsigned char        *upper;
    const unsigned char  *comma;
    tournament_accept_t   whole, other;

    static const char  type[] = "text/html";

    memset(&whole, 0, sizeof(whole));
    tournament_accept_read(&whole, type, data, size);

    fuzz_assert(whole.specific <= 3 && whole.quality <= 1000);
    fuzz_assert(whole.specific != 0 || whole.quality == 0);

    comma = size ? memchr(data, ',', size) : NULL;

    if (comma) {
        memset(&other, 0, sizeof(other));
        tournament_accept_read(&other, type, data, comma - data);
        tournament_accept_read(&other, type, comma + 1,
                               size - (comma + 1 - data));
        fuzz_same(&whole, &other);
    }

    upper = malloc(size + 1);
    fuzz_assert(upper != NULL);

    for (i = 0; i < size; i++) {
        upper[i] = (unsigned char) toupper(data[i]);
    }

    memset(&other, 0, sizeof(other));
    tournament_accept_read(&other, type, upper, size);
    fuzz_same(&whole, &other);

    free(upper);

    return 0;
}


static void
fuzz_same(tournament_accept_t *a, tournament_accept_t *b)
{
    fuzz_assert(a->specific == b->specific && a->quality == b->quality);
}
