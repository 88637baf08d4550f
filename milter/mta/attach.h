/* mta/attach.h: puts our milter and maps into a mail server's configuration, and takes them out. One
 * file for each mail server: postfix/postfix_attach.c, sendmail/sendmail_attach.c. */
#ifndef MTA_ATTACH_H
#define MTA_ATTACH_H

#include "ctl/ctl.h"
#include "mta/files.h"

/* Every block that attach writes stands between two such lines, in the comment style of its file; detach
 * takes out what stands between them, and them. */
#define ATTACH_BEGIN "milter-moved begin: by movedctl attach, to be taken out by movedctl detach"
#define ATTACH_END   "milter-moved end"

/* Behind ATTACH_BEGIN where the file did not end with a newline, which detach then takes out too. */
#define ATTACH_NEWLINE " (a newline before this too)"

/* A mail server that can be attached to. */
struct mta {
    const char *name;
    /* Each returns an exit status, or -1 with err. */
    int (*attach)(struct ctl *ctl, struct error *err);
    int (*detach)(struct ctl *ctl, struct error *err);
};
extern const struct mta mta_postfix, mta_sendmail;

/* Whether Postfix is attached to, and its services have other lists than attach would give them now: main.cf or
 * master.cf has changed since. The table is not asked. false too where that cannot be found out. */
bool attach_postfix_is_outdated(struct ctl *ctl);

/* What is run when the files are changed: NULL-terminated lists of argv, each NULL-terminated. */
struct aftermath {
    /* The first thing that is done, NULL for none; returns -1 with err to have the change taken back. */
    int (*first)(void *data, struct error *err);
    void *data;
    const char *const *const *checks;  /* one that fails takes the change back */
    const char *const *const *reloads; /* so that the running server takes it up; likewise */
};

/* Plans that our own configuration says this. Returns 0, or -1 with err. */
int attach_set_key(const struct ctl *ctl, struct changes *changes, const char *key,
                   const char *value, struct error *err);

/* Plans mode = "observe" where --observe was given; attach_carry_out then has the daemon read it
 * (HUP). Returns 0, or -1 with err. */
int attach_mode(const struct ctl *ctl, struct changes *changes, struct error *err);

/* Shows the changes, asks (or has --yes, or ends here with --dry-run), makes them, runs the
 * aftermath. done is what is said when all is well. Returns 0 (also where nothing is to be changed, which is said
 * with nothing), or -1 with err and all files as they were. */
int attach_carry_out(const struct ctl *ctl, struct changes *changes,
                     const struct aftermath *aftermath, const char *nothing, const char *done,
                     struct error *err);

/* Without the blocks between ATTACH_BEGIN and ATTACH_END in comments of this file's style ("# ", "dnl # "):
 * on the heap; NULL where memory is out. */
char *attach_strip(const char *text, const char *comment);

#endif
