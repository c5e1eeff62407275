// What threads that work beside a network have in common.
#pragma once

namespace dk {

// Of the calling thread: whoever computes goes first. Where the system refuses, it stays as it is.
void lower_priority();

// How many threads prepare pictures where nothing else is said: one a core, at most 16.
int preparing_threads();

}  // namespace dk
