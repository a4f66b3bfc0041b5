/* A pairing heap (Fredman, Sedgewick, Sleator and Tarjan, 1986) of futures by deadline, linked through the futures
 * themselves. next_: the next sibling; previous_: the one before, or the parent of a first child; argument_: the first
 * child. */
#include "lib/loop/loop.h"

static bool is_before(const yoke_future *a, const yoke_future *b)
{
    if (a->copy_.integer != b->copy_.integer)
        return a->copy_.integer < b->copy_.integer;
    return a->after_count_ < b->after_count_;
}

/* Two roots become one. Either may be NULL. */
static yoke_future *merge(yoke_future *a, yoke_future *b)
{
    if (a == NULL || b == NULL)
        return a != NULL ? a : b;
    if (is_before(b, a)) {
        yoke_future *lower = a;
        a = b;
        b = lower;
    }
    b->next_ = a->argument_;
    b->previous_ = a;
    if (b->next_ != NULL)
        b->next_->previous_ = b;
    a->argument_ = b;
    return a;
}

/* Siblings become one root: in pairs from the left, and these from the right. */
static yoke_future *merge_all(yoke_future *sibling)
{
    yoke_future *pairs = NULL, *root = NULL;
    while (sibling != NULL) {
        yoke_future *one = sibling, *two = one->next_;
        sibling = two != NULL ? two->next_ : NULL;
        one->next_ = one->previous_ = NULL;
        if (two != NULL)
            two->next_ = two->previous_ = NULL;
        one = merge(one, two);
        one->next_ = pairs;
        pairs = one;
    }
    while (pairs != NULL) {
        yoke_future *next = pairs->next_;
        pairs->next_ = NULL;
        root = merge(root, pairs);
        pairs = next;
    }
    return root;
}

yoke_future *yoke__heap_add(yoke_future *heap, yoke_future *f)
{
    f->next_ = f->previous_ = NULL;
    f->argument_ = NULL;
    f->place_ |= YOKE__IN_HEAP;
    return merge(heap, f);
}

yoke_future *yoke__heap_remove(yoke_future *heap, yoke_future *f)
{
    yoke_future *children = merge_all(f->argument_);
    f->place_ &= (unsigned char)~YOKE__IN_HEAP;
    f->argument_ = NULL;
    if (f == heap)
        return children;
    if (f->previous_->argument_ == f)
        f->previous_->argument_ = f->next_;
    else
        f->previous_->next_ = f->next_;
    if (f->next_ != NULL)
        f->next_->previous_ = f->previous_;
    return merge(heap, children);
}
