/* doctor/exam.h: examines a mail server that runs, and says what is wrong and what mends it.
 *
 * exam.c       the command: what is looked at in which order, the exit status
 * ourselves.c  the table, the daemon, its sockets
 * ask.c        asks the mail server about recipients, over SMTP
 * explain.c    symptoms: what is found, and of replies those that every mail server may give
 * outcome.c    the outcome, for people and for programs
 *
 * The symptoms of Postfix and of Sendmail are in mta/. A new diagnosis is a row in one of these tables. */
#ifndef DOCTOR_EXAM_H
#define DOCTOR_EXAM_H

#include "answer/answer.h"
#include "ctl/ctl.h"
#include "mta/postfix/postfix.h"
#include "net/smtp.h"

#include <stdbool.h>
#include <stddef.h>

/* What a finding means for the exit status. */
enum weight {
    NOTE,  /* worth knowing: nothing is wrong */
    FAULT, /* mail is not answered as it should be, or will not be once something else fails */
    DOWN,  /* the daemon or the mail server cannot be asked */
};

/* Something that was found, once, however many recipients show it. */
struct finding {
    const char *name; /* "soft-bounce" */
    enum weight weight;
    char *why, *mend;  /* on the heap; mend "" where there is nothing to do */
    size_t recipients; /* that show it */
    size_t others;     /* domains, services of which the same is true */
};

/* One recipient that was asked about. */
struct asked {
    char recipient[ADDRESS_TEXT_SIZE];
    const struct domain *domain;
    bool invented;              /* no such mailbox */
    struct answer expected;     /* what milter-moved should say of it to us */
    char want[REPLY_TEXT_SIZE]; /* as the text of got; "" where it is none of ours */
    struct smtp_reply got;      /* code 0: not asked */
    bool in_mail;               /* got is the reply to MAIL */
    bool well;
    int finding; /* what explains it, an index; -1: none */
};

/* A domain of the table that is asked about. */
struct domain {
    char name[ADDRESS_DOMAIN_MAX + 1];
    enum postfix_class kind; /* where there is Postfix's configuration */
    bool is_denied;          /* by Sendmail's rules, to a stranger: relaying */
};

enum server { SERVER_UNKNOWN, SERVER_POSTFIX, SERVER_SENDMAIL };

/* A word in braces in a text, "${maps}". */
struct fact {
    const char *name;
    char *value; /* on the heap */
};
#define FACTS_MAX 64

#define DOMAINS_MAX 100 /* that are asked about: of more, so many evenly among them */

struct exam {
    struct ctl *ctl;
    const struct settings *settings;
    struct timespec end; /* of all that is asked over SMTP */

    /* The table; NULL where it cannot be opened. */
    struct table *table;
    struct error table_error;
    size_t entries, all_domains;
    struct domain *domains; /* those that are asked about */
    size_t domain_count;

    /* The daemon. */
    bool milter_answers, lookups_answer;
    bool observes;    /* as it says itself; as the configuration says, where it cannot be asked */
    char version[64]; /* "" where it does not say */

    /* The mail server. */
    struct endpoint where;
    bool answers, is_here;
    struct ip client; /* we, as it sees us */
    bool smtputf8;
    struct smtp_reply greeting;
    enum server server;
    struct postfix_view *postfix;   /* its configuration; NULL where it cannot be read here */
    struct sendmail_view *sendmail; /* likewise */
    unsigned refusals;              /* recipients that may be refused in one session */

    struct asked **asked; /* each on the heap */
    size_t asked_count;
    struct finding *findings;
    size_t finding_count;

    /* What a symptom is asked about at the moment. */
    const struct asked *now;      /* for OF_REPLY */
    const struct domain *turn_of; /* for OF_DOMAIN, and the one of OF_REPLY */
    struct fact facts[FACTS_MAX];
};

/* ---- explain.c */

/* What a symptom is a property of: it is asked once for each. */
enum of {
    OF_SERVER,
    OF_SERVICE, /* each smtpd of Postfix's master.cf, each port of Sendmail's */
    OF_DOMAIN,  /* each domain that is asked about */
    OF_REPLY,   /* of the reply at hand alone */
};

/* A reply that is not as expected is explained by the first row that fits. */
struct symptom {
    const char *name;
    enum weight weight;
    enum of of;
    bool (*is)(struct exam *exam); /* may set facts that the texts name */
    bool (*shows)(
        struct exam *exam); /* whether the reply at hand may come of it; NULL: none does */
    const char *why, *mend; /* with ${FACT} */
};

/* Sets a fact for the texts. */
void exam_fact(struct exam *exam, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The value of a fact, "" where there is none. Lent until it is set again. */
const char *exam_fact_value(const struct exam *exam, const char *name);

/* Reports what was found, its texts filled in with the facts; a second time only counts the recipient.
 * Returns its index. */
int exam_find(struct exam *exam, const char *name, enum weight weight, const char *why,
              const char *mend);

/* Reports each symptom of the table of this kind that is there. */
void exam_check(struct exam *exam, const struct symptom *symptoms, enum of of);

/* Finds out why each recipient that is not well got what it got. */
void exam_explain(struct exam *exam);

/* What is said where the daemon cannot be reached, with the facts socket, key and error. */
#define DAEMON_DOWN_WHY "milter-moved does not answer on ${socket} (${key} in ${conf}): ${error}."
#define DAEMON_DOWN_MEND                                                                           \
    "systemctl start milter-moved; its log says why it does not start, or that it listens "        \
    "elsewhere"

/* And where it has no table, with the fact daemon_table. */
#define DAEMON_TABLE_WHY "milter-moved cannot read its table: ${daemon_table}."
#define DAEMON_TABLE_MEND                                                                          \
    "movedctl init, or the owner and mode of ${table}: milter-moved's user has to read and write " \
    "its files"

/* The text of a reply on one line, " / " between its lines. */
void reply_on_one_line(char *out, size_t size, const char *text);

/* A reply of ours as struct smtp_reply has it; size REPLY_TEXT_SIZE cuts nothing. */
void reply_as_said(char *out, size_t size, const struct reply *reply);

/* Whether the mail server said what is wanted; Sendmail may put the recipient before the text. */
bool reply_is_the_same(const char *got, const char *want, const char *recipient);

/* Whether the reply at hand (exam->now) has these words, in any case. */
bool reply_says(const struct exam *exam, const char *words);

/* Its code's class: 2, 4, 5. */
int reply_class_of(const struct exam *exam);

/* The same text as expected, whatever the codes before it. */
bool reply_is_our_text(const struct exam *exam);

/* Our own text of this kind. */
bool reply_is(const struct exam *exam, enum text_kind kind);

/* What is expected, and then more. */
bool reply_begins_as_ours(const struct exam *exam);

/* ---- ourselves.c */

/* Opens the table, and counts. What is wrong becomes a finding. */
void exam_table(struct exam *exam);

/* Chooses domains of it. Returns 0, or -1 with err. */
int exam_choose_domains(struct exam *exam, struct error *err);

/* Asks the daemon on both of its sockets. Likewise. */
void exam_daemon(struct exam *exam);

/* What the map listed says of an address. */
enum listed { LISTED_YES, LISTED_NO, LISTED_UNKNOWN };
enum listed exam_ask_listed(const struct exam *exam, const char *address);

/* Whether this account may open the socket at path. What stops it and what lets it are the facts stops and let. */
bool exam_reaches(struct exam *exam, const char *path, const char *user);

/* ---- ask.c */

/* Chooses recipients: of each domain some entries, and a mailbox that cannot exist. Returns 0, or -1 with err. */
int exam_choose(struct exam *exam, struct error *err);

/* Takes these, NULL-terminated, instead; at most DOMAINS_MAX. Returns 0, or -1 with err (EX_DATAERR). */
int exam_choose_these(struct exam *exam, char **recipients, struct error *err);

/* Greets the mail server, and takes note of what it says of itself. */
void exam_greet(struct exam *exam);

/* Asks it about all of them. */
void exam_ask(struct exam *exam);

/* ---- postfix_symptoms.c, postfix_view.c */

extern const struct symptom postfix_symptoms[];

/* Reads the configuration into exam->postfix. Returns 0, or -1 with err. */
int postfix_look(struct exam *exam, struct error *err);

/* Finds out the class of each domain that is asked about. Returns 0, or -1 with err. */
int postfix_classify_domains(struct exam *exam, struct error *err);

/* Goes on to the next smtpd service, from the first: false behind the last. The facts tell of it. */
bool postfix_next_service(struct exam *exam);

/* Sets the facts for the symptoms of this domain. */
void postfix_turn_to(struct exam *exam, const struct domain *domain);

void postfix_view_free(struct postfix_view *view);

/* ---- sendmail_symptoms.c */

extern const struct symptom sendmail_symptoms[];
int sendmail_look(struct exam *exam, struct error *err);

/* Finds out which of the domains are refused to strangers. */
void sendmail_try_domains(struct exam *exam);

bool sendmail_next_service(struct exam *exam);
void sendmail_view_free(struct sendmail_view *view);

/* ---- outcome.c */

/* Prints the outcome; status is the exit status. Returns 0, or -1 with err. */
int exam_print(const struct exam *exam, int status, struct error *err);

#endif
