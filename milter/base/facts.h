/* base/facts.h: the values that the texts of a symptom name, "${maps}". They are for people alone: a program
 * decides by the fields of struct evidence, and never reads a fact back. */
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

/* The text with the value of each ${NAME} in its place, nothing for one that is not set. On the heap; NULL if
 * memory is out. */
char *facts_fill(const struct facts *facts, const char *text);

void facts_clear(struct facts *facts);

#endif
