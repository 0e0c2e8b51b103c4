// Implementation of embedded.h: the assembler takes the files into the read-only data of the object. CMakeLists.txt
// says where they lie (BLINDSPOT_CATALOGUE_FOLDER), since the assembler knows no other way to be told.
#include "weights/catalogue/embedded.h"

// Names of the symbols below are what the extern declarations say; each file ends where the next symbol stands.
asm(R"(
    .pushsection .rodata
    .hidden blindspot_catalogue, blindspot_imagenet_classes, blindspot_cifar10_classes, blindspot_catalogue_end
    .global blindspot_catalogue, blindspot_imagenet_classes, blindspot_cifar10_classes, blindspot_catalogue_end
    blindspot_catalogue: .incbin ")" BLINDSPOT_CATALOGUE_FOLDER R"(/catalogue.json"
    blindspot_imagenet_classes: .incbin ")" BLINDSPOT_CATALOGUE_FOLDER R"(/imagenet-classes.txt"
    blindspot_cifar10_classes: .incbin ")" BLINDSPOT_CATALOGUE_FOLDER R"(/cifar10-classes.txt"
    blindspot_catalogue_end: .byte 0
    .popsection
)");

extern "C" {
[[gnu::visibility("hidden")]] extern const char blindspot_catalogue[];
[[gnu::visibility("hidden")]] extern const char blindspot_imagenet_classes[];
[[gnu::visibility("hidden")]] extern const char blindspot_cifar10_classes[];
[[gnu::visibility("hidden")]] extern const char blindspot_catalogue_end[];
}

namespace blindspot::weights {

std::string_view embedded_catalogue() {
  return {blindspot_catalogue, blindspot_imagenet_classes};
}

std::string_view embedded_class_names(std::string_view list) {
  if (list == "imagenet") return {blindspot_imagenet_classes, blindspot_cifar10_classes};
  if (list == "cifar10") return {blindspot_cifar10_classes, blindspot_catalogue_end};
  return {};
}

}  // namespace blindspot::weights
