// What stands behind a blindspot_model. Uses the public C++ interface.
#pragma once

#include <string>

#include "blindspot.h"
#include "blindspot/model.h"

/// The texts are what blindspot_model_describe hands out.
struct blindspot_model {
  blindspot::Model model;
  std::string device, precision;

  int input_size() const { return model.information().preprocessing.input_size; }
};
