/* SPDX-License-Identifier: BSD-2-Clause */
/* base/guess.h: finds the word that was meant where one with a typing error was written. */
#ifndef BASE_GUESS_H
#define BASE_GUESS_H

#include <stddef.h>

struct guess {
    const char *typed;
    const char *nearest; /* the word that was meant; NULL: none is near enough */
    size_t errors;
};

/* Begins with the word that was typed, which must outlive *guess, as must each word that is tried. */
void guess_begin(struct guess *guess, const char *typed);

/* Keeps the word in nearest if it is nearer than those before: typed is its beginning, or differs from it in one letter
 * (where typed has under four) or two: wrong, left out, put in, or swapped with its neighbour. */
void guess_try(struct guess *guess, const char *word);

#endif
