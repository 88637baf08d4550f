/* SPDX-License-Identifier: BSD-2-Clause */
#include "doctor/findings.h"

#include <stdlib.h>
#include <string.h>

static int find_same(const struct findings *findings, const struct finding *wanted)
{
    for (size_t i = 0; i < findings->count; i++)
        if (strcmp(findings->of[i].name, wanted->name) == 0 &&
            strcmp(findings->of[i].mend, wanted->mend) == 0)
            return (int)i;
    return -1;
}

/* Returns the index of the finding, new or with the same name and mend; -1 if memory is out. */
static int add(struct findings *findings, const char *name, enum weight weight, const char *why,
               const char *mend, bool *is_new)
{
    struct finding finding = {.name = name, .weight = weight};
    struct finding *more;
    int index = -1;

    *is_new = false;
    finding.why = facts_fill(findings->facts, why);
    finding.mend = facts_fill(findings->facts, mend);
    if (finding.why != NULL && finding.mend != NULL)
        index = find_same(findings, &finding);
    if (finding.why != NULL && finding.mend != NULL && index < 0 &&
        (more = realloc(findings->of, (findings->count + 1) * sizeof *more)) != NULL) {
        findings->of = more;
        more[findings->count] = finding;
        *is_new = true;
        return (int)findings->count++;
    }
    free(finding.why);
    free(finding.mend);
    return index;
}

void findings_note(struct findings *findings, const char *name, enum weight weight, const char *why,
                   const char *mend)
{
    bool is_new;
    int index = add(findings, name, weight, why, mend, &is_new);
    if (index >= 0 && !is_new)
        findings->of[index].others++;
}

int findings_explain(struct findings *findings, const struct symptom *symptom)
{
    bool is_new;
    int index = add(findings, symptom->name, symptom->weight, symptom->why, symptom->mend, &is_new);
    if (index >= 0)
        findings->of[index].recipients++;
    return index;
}

enum weight findings_worst(const struct findings *findings)
{
    enum weight worst = NOTE;
    for (size_t i = 0; i < findings->count; i++)
        if (findings->of[i].weight > worst)
            worst = findings->of[i].weight;
    return worst;
}

void findings_free(struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        free(findings->of[i].why);
        free(findings->of[i].mend);
    }
    free(findings->of);
    *findings = (struct findings){0};
}
