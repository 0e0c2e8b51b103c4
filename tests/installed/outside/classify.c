/* classify MODEL IMAGE: what a network makes of a picture, through the C interface. */
#include <blindspot.h>
#include <stdio.h>
#include <stdlib.h>

int main(int count, char** arguments) {
  blindspot_error error = {.size = sizeof error};
  blindspot_model* model = NULL;
  blindspot_model_information about = {.size = sizeof about};
  float* image = NULL;
  double* probabilities = NULL;
  int best = 0;
  if (count != 3) {
    fprintf(stderr, "usage: classify MODEL IMAGE\n");
    return BLINDSPOT_USAGE;
  }
  if (blindspot_model_open(arguments[1], NULL, &model, &error) != BLINDSPOT_DONE) goto failed;
  if (blindspot_model_describe(model, &about, &error) != BLINDSPOT_DONE) goto failed;
  image = malloc(3 * sizeof(float) * (size_t)about.input_size * (size_t)about.input_size);
  probabilities = malloc(sizeof(double) * (size_t)about.class_count);
  if (image == NULL || probabilities == NULL) {
    fprintf(stderr, "there is no memory for the picture\n");
    error.status = BLINDSPOT_DEVICE;
    goto failed;
  }
  if (blindspot_load_image(model, arguments[2], image, &error) != BLINDSPOT_DONE) goto failed;
  if (blindspot_classify(model, image, 1, NULL, probabilities, &error) != BLINDSPOT_DONE) goto failed;
  for (int i = 1; i < about.class_count; ++i) {
    if (probabilities[i] > probabilities[best]) best = i;
  }
  const char* name = blindspot_class_name(model, best);
  printf("%s: %s %.4f\n", about.architecture, name != NULL ? name : "a class without a name", probabilities[best]);
failed:
  if (error.message[0] != '\0') fprintf(stderr, "%s\n", error.message);
  free(probabilities);
  free(image);
  blindspot_model_close(model);
  return error.status;
}
