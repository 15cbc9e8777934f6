
/*
 * The payload of a notification or a message: there are as many tokens as
 * words, or "everything" once if it is too long.
 */

#include "fuzz.h"
#include "feed/payload.h"


static size_t fuzz_words(const unsigned char *data, size_t size);


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    size_t                words, tokens;
    tournament_token_t    token;
    tournament_payload_t  payload;

    words = (size > TOURNAMENT_PAYLOAD_MAX) ? 1 : fuzz_words(data, size);

    tournament_payload_open(&payload, data, size);

    for (tokens = 0; tournament_payload_next(&payload, &token); tokens++) {
        fuzz_assert(token.kind == TOURNAMENT_PAYLOAD_EVERYTHING
                    ? token.id == 0
                    : token.id >= 0 && token.kind >= 'a'
                      && token.kind <= 'z');
    }

    fuzz_assert(tokens == words);

    return 0;
}


static size_t
fuzz_words(const unsigned char *data, size_t size)
{
    size_t  i, words;

    words = 0;

    for (i = 0; i < size; i++) {
        words += data[i] != ' ' && (i == 0 || data[i - 1] == ' ');
    }

    return words;
}
