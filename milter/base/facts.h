/* SPDX-License-Identifier: BSD-2-Clause */
/* base/facts.h: values for variables such as "${maps}" in the texts of a symptom. They are only shown to people:
 * decisions use the fields of struct exam, and never a fact. */
#ifndef BASE_FACTS_H
#define BASE_FACTS_H

#define FACTS_MAX 64

/* Start with {0}; facts_clear it. */
struct facts {
    struct fact {
        const char *name; /* a literal */
        char *value;      /* on the heap */
    } of[FACTS_MAX];
};

/* Sets a fact, or changes it. */
void fact_set(struct facts *facts, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The value of a fact; "" if it is not set. Borrowed until it changes. */
const char *fact_get(const struct facts *facts, const char *name);

/* Returns text with each ${NAME} replaced by its value, or by nothing if it is not set. On the heap; NULL if memory
 * is out. */
char *facts_fill(const struct facts *facts, const char *text);

void facts_clear(struct facts *facts);

#endif
