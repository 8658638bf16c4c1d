//! One merge rule per fact: findings in, events out. No I/O, no clock.
