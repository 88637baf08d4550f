#include "daemon/open_sessions.h"

#include <pthread.h>
#include <time.h>

static struct {
    pthread_mutex_t lock;
    pthread_cond_t idle;
    unsigned long count; /* since the start */
    unsigned open;
} sessions = {.lock = PTHREAD_MUTEX_INITIALIZER, .idle = PTHREAD_COND_INITIALIZER};

void open_sessions_add(void)
{
    pthread_mutex_lock(&sessions.lock);
    sessions.count++;
    sessions.open++;
    pthread_mutex_unlock(&sessions.lock);
}

void open_sessions_remove(void)
{
    pthread_mutex_lock(&sessions.lock);
    if (--sessions.open == 0)
        pthread_cond_broadcast(&sessions.idle);
    pthread_mutex_unlock(&sessions.lock);
}

unsigned open_sessions_wait(unsigned seconds)
{
    struct timespec until;
    int rc = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += seconds;
    pthread_mutex_lock(&sessions.lock);
    while (sessions.open > 0 && rc == 0)
        rc = pthread_cond_timedwait(&sessions.idle, &sessions.lock, &until);
    unsigned left = sessions.open;
    pthread_mutex_unlock(&sessions.lock);
    return left;
}

unsigned long open_sessions_total(void)
{
    pthread_mutex_lock(&sessions.lock);
    unsigned long count = sessions.count;
    pthread_mutex_unlock(&sessions.lock);
    return count;
}

unsigned open_sessions_count(void)
{
    pthread_mutex_lock(&sessions.lock);
    unsigned open = sessions.open;
    pthread_mutex_unlock(&sessions.lock);
    return open;
}
