/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/guess.h"

#include <string.h>

#define LETTERS_MAX 40 /* a longer word has no near one */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t typing_errors(const char *typed, const char *word)
{
    size_t cost[LETTERS_MAX + 1][LETTERS_MAX + 1];
    size_t rows = strlen(typed), columns = strlen(word);
    if (rows > LETTERS_MAX || columns > LETTERS_MAX)
        return LETTERS_MAX;
    for (size_t i = 0; i <= rows; i++)
        for (size_t j = 0; j <= columns; j++) {
            if (i == 0 || j == 0) {
                cost[i][j] = i + j;
                continue;
            }
            cost[i][j] = least(cost[i - 1][j - 1] + (typed[i - 1] != word[j - 1]),
                               1 + least(cost[i - 1][j], cost[i][j - 1]));
            if (i > 1 && j > 1 && typed[i - 1] == word[j - 2] && typed[i - 2] == word[j - 1])
                cost[i][j] = least(cost[i][j], 1 + cost[i - 2][j - 2]);
        }
    return cost[rows][columns];
}

void guess_begin(struct guess *guess, const char *typed)
{
    size_t length = strlen(typed);
    *guess = (struct guess){.typed = typed, .errors = length == 0 ? 0 : length < 4 ? 2 : 3};
}

void guess_try(struct guess *guess, const char *word)
{
    if (guess->errors <= 1)
        return; /* nothing was typed, or none can be nearer: the first one stays */
    size_t errors = strncmp(word, guess->typed, strlen(guess->typed)) == 0
                        ? 1
                        : typing_errors(guess->typed, word);
    if (errors < guess->errors) {
        guess->errors = errors;
        guess->nearest = word;
    }
}
