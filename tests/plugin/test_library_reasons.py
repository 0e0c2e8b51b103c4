"""Why cuDNN or cuBLASLt cannot be used, as the plug-in's own search says it of libraries made for the test.

BLINDSPOT_SAY_REASONS names the program that asks, BLINDSPOT_FAKE_LIBRARIES the folders of the libraries."""
import os
import pathlib
import subprocess
import unittest

FAKES = pathlib.Path(os.environ["BLINDSPOT_FAKE_LIBRARIES"])
DRIVER_12, DRIVER_13 = "12080", "13000"


def said(driver, *folders):
    environment = {**os.environ, "BLINDSPOT_CUDA_LIBRARIES": ":".join(str(FAKES / folder) for folder in folders)}
    shown = subprocess.run([os.environ["BLINDSPOT_SAY_REASONS"], driver], env=environment, capture_output=True, text=True,
                           timeout=60, check=True)
    return shown.stdout.rstrip("\n")


class LibraryReasons(unittest.TestCase):
    def test_none_there(self):
        self.assertRegex(said(DRIVER_13), r"^no cuDNN 9: libcudnn\.so\.9 was found neither .*BLINDSPOT_CUDA_LIBRARIES")
        self.assertRegex(said(DRIVER_13, "cudnn_for_13"), r"^no cuBLASLt: libcublasLt\.so\.1[23] nor libcublasLt\.so\.1[23] "
                                                          r"was found neither .*BLINDSPOT_CUDA_LIBRARIES")

    def test_wrong_version(self):
        self.assertEqual(said(DRIVER_13, "cudnn_8", "cublas_for_13"),
                         f"{FAKES}/cudnn_8/libcudnn.so.9 is cuDNN 8907, version 9 is needed")
        self.assertEqual(said(DRIVER_13, "cudnn_for_12", "cublas_lacking"),
                         f"{FAKES}/cublas_lacking/libcublasLt.so.12 lacks cublasLtCreate, a newer cuBLASLt is needed")

    def test_of_a_later_cuda_than_the_driver(self):
        self.assertIn(f"{FAKES}/cudnn_for_13/libcudnn.so.9 is for CUDA 13.0, the NVIDIA driver for CUDA 12.8; ",
                      said(DRIVER_12, "cudnn_for_13", "cublas_for_12"))
        self.assertIn(f"{FAKES}/cublas_for_13/libcublasLt.so.13 is for CUDA 13.0, the NVIDIA driver for CUDA 12.8; ",
                      said(DRIVER_12, "cudnn_for_12", "cublas_for_13"))

    def test_usable(self):
        self.assertEqual(said(DRIVER_13, "cudnn_for_13", "cublas_for_13"), "cuDNN 9.19.0, cuBLASLt 13.0.0")
        self.assertEqual(said(DRIVER_13, "cudnn_for_12", "cublas_for_12"), "cuDNN 9.19.0, cuBLASLt 12.9.0")
        self.assertEqual(said(DRIVER_12, "cudnn_for_12", "cublas_for_12"), "cuDNN 9.19.0, cuBLASLt 12.9.0")


if __name__ == "__main__":
    unittest.main()
