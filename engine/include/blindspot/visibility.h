// What the shared library exports: the namespace of each header in this folder carries this mark. Every floor may
// include this header.
#pragma once

#define BLINDSPOT_PUBLIC [[gnu::visibility("default")]]
