"""Chromium without a window, driven by selenium. Exits with 77, which CTest takes for skipped, where either is missing."""
import shutil
import sys

SKIPPED = 77


def require_browser():
    try:
        import selenium  # noqa: F401
    except ImportError:
        print("skipped: no python3-selenium (tools/requirements.sh: report_test_packages)", file=sys.stderr)
        sys.exit(SKIPPED)
    if not shutil.which("chromium") or not shutil.which("chromedriver"):
        print("skipped: no chromium and chromium-driver (tools/requirements.sh: report_test_packages)", file=sys.stderr)
        sys.exit(SKIPPED)


def open_browser(width=1280, height=900, dark=False):
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service
    options = Options()
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                     f"--window-size={width},{height}"):
        options.add_argument(argument)
    options.binary_location = shutil.which("chromium")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(service=Service(shutil.which("chromedriver")), options=options)
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})
    if dark:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia",
                                {"features": [{"name": "prefers-color-scheme", "value": "dark"}]})
    return browser


def open_page(browser, path):
    browser.get(path.resolve().as_uri())
    return browser
