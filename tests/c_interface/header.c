/* That blindspot.h is C99: it is compiled here as such, with all warnings as errors, twice over for its include guard.
 */
#include "blindspot.h"

blindspot_status header_is_c99(blindspot_error* error);

blindspot_status header_is_c99(blindspot_error* error) {
  blindspot_walk_parameters parameters = {sizeof parameters, 0, 0, 0, 0, 0, 0, 0, 0};
  blindspot_walk_parameters_default(&parameters);
  return blindspot_model_open("demo-resnet", NULL, NULL, error);
}
