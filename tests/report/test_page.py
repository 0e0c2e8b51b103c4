"""The page as its reader has it: sliders, triangles, sorting and keyboard in headless Chromium, nothing asked of a network."""
import base64
import csv
import json
import pathlib
import shutil
import tempfile
import time
import unittest

from browser import open_browser, open_page, require_browser
from made_results import triangle_value, write_result, write_triangle
from program import run

require_browser()

from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

from test_files import HOSTILE  # noqa: E402


def make_report(source, target, *more):
    result = run("report", source, "-o", target, *more)
    assert result.returncode == 0, result.stderr.decode()
    return target


class Opened(unittest.TestCase):
    """A page that the class has made, in a browser of its own."""

    def setUp(self):
        open_page(self.browser, self.page)
        self.addCleanup(self.assert_quiet)

    def assert_quiet(self):
        """No error, no warning, no request beyond the file itself and pictures within it."""
        self.assertEqual(self.browser.get_log("browser"), [])
        for entry in self.browser.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] != "Network.requestWillBeSent":
                continue
            address = message["params"]["request"]["url"]
            self.assertTrue(address.startswith(("file://", "data:")), address[:100])
            self.assertTrue(not address.startswith("file://") or address.endswith(".html"), address[:100])
        entries = self.browser.execute_script("return performance.getEntriesByType('resource').map((e) => e.name)")
        self.assertEqual([name for name in entries if not name.startswith("data:")], [])

    def script(self, text, *arguments):
        return self.browser.execute_script(text, *arguments)

    def see(self, element):
        """Scrolls to it, and waits until its scripts have seen it."""
        self.script("document.documentElement.style.scrollBehavior = 'auto'; arguments[0].scrollIntoView({block: 'center'})",
                    element)
        time.sleep(0.2)
        return element

    def pixel(self, image, x, y):
        return self.script("""
            const canvas = document.createElement("canvas");
            const image = arguments[0];
            canvas.width = image.naturalWidth || image.width; canvas.height = image.naturalHeight || image.height;
            const context = canvas.getContext("2d");
            context.drawImage(image, 0, 0);
            return [...context.getImageData(arguments[1], arguments[2], 1, 1).data].slice(0, 3)""", image, x, y)

    def triangle(self):
        article = self.see(self.browser.find_element(By.CSS_SELECTOR, ".triangle"))
        WebDriverWait(self.browser, 5).until(lambda _: sum(self.pixel(article.find_element(By.TAG_NAME, "canvas"), 3, 3)) > 0)
        return article, article.find_element(By.CSS_SELECTOR, ".map"), article.find_element(By.CSS_SELECTOR, ".mix figcaption")

    def corners(self):
        data = json.loads(self.script("return document.getElementById('data').textContent"))["triangles"][0]
        return data["corners"], data["size"]

    def point_at(self, area, t1, t2):
        """Moves the mouse to that mix, by the corners that the page itself draws."""
        (source, first, second), (width, height) = self.corners()
        x = (1 - t1 - t2) * source[0] + t1 * first[0] + t2 * second[0]
        y = (1 - t1 - t2) * source[1] + t1 * first[1] + t2 * second[1]
        size = area.find_element(By.TAG_NAME, "svg").size
        ActionChains(self.browser).move_to_element_with_offset(
            area.find_element(By.TAG_NAME, "svg"), round(x / width * size["width"] - size["width"] / 2),
            round(y / height * size["height"] - size["height"] / 2)).perform()


class Page(Opened):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="blindspot-report-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.result = write_result(cls.folder / "out", width=True)
        write_triangle(cls.folder / "triangle.json",
                       ["image-0.png", cls.folder / "out/final-0-1.png", cls.folder / "out/final-0-2.png"], leave_out=[(8, 2)])
        cls.page = make_report(cls.folder / "out", cls.folder / "report.html", "--triangle", cls.folder / "triangle.json")
        cls.browser = open_browser()
        cls.addClassCleanup(cls.browser.quit)

    def walk(self, number=0):
        article = self.see(self.browser.find_elements(By.CSS_SELECTOR, ".walk")[number])
        WebDriverWait(self.browser, 5).until(lambda _: article.find_elements(By.CSS_SELECTOR, ".curve line.cursor"))
        return article

    def test_slider_scrubs_through_the_recorded_images(self):
        article = self.walk()
        slider = article.find_element(By.CSS_SELECTOR, "input[type=range]")
        image = article.find_element(By.CSS_SELECTOR, "[data-now]")
        caption = article.find_element(By.CSS_SELECTOR, "[data-caption]")
        records = self.result["pairs"][0]["records"]
        self.assertEqual(int(slider.get_attribute("max")), len(records))
        seen = set()
        slider.send_keys(Keys.HOME)
        self.assertIn("source", caption.text)
        self.assertIn("0.9600", caption.text)
        for record in records:
            slider.send_keys(Keys.ARROW_RIGHT)
            self.assertIn(f"{record['probability']:.4f}", caption.text)
            self.assertIn(f"{record['target_probability']:.4f}", caption.text)
            self.assertIn(f"{record['probability']:.4f}", slider.get_attribute("aria-valuetext"))
            seen.add(image.get_attribute("src"))
            line = article.find_element(By.CSS_SELECTOR, ".curve line.cursor")
            self.assertAlmostEqual(float(line.get_attribute("x1")), 44 + (420 - 58) * record["iteration"] / 100, delta=0.01)
        self.assertEqual(len(seen), len(records))
        self.assertIn("final", caption.text)

    def test_strip_and_curve_move_the_slider(self):
        article = self.walk(1)
        slider = article.find_element(By.CSS_SELECTOR, "input[type=range]")
        button = article.find_elements(By.CSS_SELECTOR, ".strip button")[2]
        button.send_keys(Keys.ENTER)
        self.assertEqual(slider.get_attribute("value"), button.get_attribute("data-stop"))
        self.assertEqual(button.get_attribute("aria-pressed"), "true")
        svg = article.find_element(By.CSS_SELECTOR, ".curve svg")
        ActionChains(self.browser).move_to_element_with_offset(svg, -svg.size["width"] // 2 + 30, 0).click().perform()
        self.assertIn(slider.get_attribute("value"), ("0", "1"))

    def test_pointer_mixes_the_three_images(self):
        article, area, caption = self.triangle()
        canvas = article.find_element(By.TAG_NAME, "canvas")
        # On a computed point: its own value, and no other.
        self.point_at(area, 0.3, 0.4)
        self.assertIn(f"{triangle_value(0.3, 0.4):.4f}", caption.text)
        self.assertIn("computed", caption.text)
        self.assertIn("30 % source, 30 % lower right, 40 % top", caption.text)
        # Between them: linear within the small triangle, and called interpolated.
        self.point_at(area, 0.25, 0.62)
        self.assertIn("interpolated", caption.text)
        value = float(caption.find_element(By.TAG_NAME, "strong").text)
        expected = 0.3 * triangle_value(0.2, 0.6) + 0.5 * triangle_value(0.3, 0.6) + 0.2 * triangle_value(0.2, 0.7)
        self.assertAlmostEqual(value, expected, delta=0.015)  # the pointer stands on whole pixels
        self.point_at(area, 0.28, 0.27)  # the other kind of small triangle
        value = float(caption.find_element(By.TAG_NAME, "strong").text)
        expected = 0.5 * triangle_value(0.3, 0.3) + 0.3 * triangle_value(0.3, 0.2) + 0.2 * triangle_value(0.2, 0.3)
        self.assertAlmostEqual(value, expected, delta=0.015)
        # The canvas holds the mix of the three pictures.
        self.point_at(area, 0.5, 0.5)
        places = [[0, 0], [13, 7], [31, 31]]
        corners = self.browser.execute_async_script("""
            const [places, done] = arguments;
            const data = JSON.parse(document.getElementById("data").textContent);
            Promise.all(data.triangles[0].pictures.map(async (number) => {
              const image = new Image();
              image.src = data.pictures[number];
              await image.decode();
              const canvas = document.createElement("canvas");
              [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
              const context = canvas.getContext("2d", {willReadFrequently: true});
              context.drawImage(image, 0, 0);
              return places.map(([x, y]) => [...context.getImageData(x, y, 1, 1).data].slice(0, 3));
            })).then(done)""", places)
        for place, (x, y) in enumerate(places):
            mixed = self.pixel(canvas, x, y)
            for channel in range(3):
                expected = (corners[1][place][channel] + corners[2][place][channel]) / 2
                self.assertLessEqual(abs(mixed[channel] - expected), 1)

    def test_a_point_that_was_not_computed_says_so(self):
        _, area, caption = self.triangle()
        self.point_at(area, 0.8, 0.2)
        self.assertIn("not computed", caption.text)

    def test_keyboard_moves_between_the_computed_points(self):
        _, area, caption = self.triangle()
        area.send_keys(Keys.HOME)
        self.assertIn(f"{triangle_value(0, 0):.4f}", caption.text)
        area.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_UP)
        self.assertIn(f"{triangle_value(0.2, 0.1):.4f}", caption.text)
        self.assertIn("computed", caption.text)
        area.send_keys(Keys.SHIFT + Keys.ARROW_UP)
        self.assertIn("interpolated", caption.text)
        area.send_keys(Keys.NULL, Keys.END, Keys.ARROW_RIGHT, Keys.ARROW_UP)  # there is nothing beyond the corner
        self.assertIn(f"{triangle_value(1, 0):.4f}", caption.text)
        area.send_keys(Keys.PAGE_UP)
        self.assertIn(f"{triangle_value(0, 1):.4f}", caption.text)

    def test_everything_is_reached_by_the_tab_key(self):
        reached = set()
        body = self.browser.find_element(By.TAG_NAME, "body")
        body.send_keys(Keys.TAB)
        for _ in range(220):
            element = self.browser.switch_to.active_element
            reached.add((element.tag_name, (element.get_attribute("class") or "").split(" ")[0]))
            element.send_keys(Keys.TAB)
        for wanted in (("a", "skip"), ("input", ""), ("button", ""), ("div", "map"), ("div", "scroll"), ("summary", "")):
            self.assertIn(wanted, reached)

    def test_the_table_sorts(self):
        table = self.see(self.browser.find_element(By.ID, "pair-table"))
        heading = next(cell for cell in table.find_elements(By.CSS_SELECTOR, "th") if cell.text == "RMSE")
        column = self.script("return arguments[0].cellIndex", heading)
        values = lambda: [float(row) for row in self.script(
            "return [...arguments[0].tBodies[0].rows].map((row) => row.cells[arguments[1]].dataset.sort)", table, column)]
        before = values()
        heading.find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
        self.assertEqual(values(), sorted(before))
        self.assertEqual(heading.get_attribute("aria-sort"), "ascending")
        heading.find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
        self.assertEqual(values(), sorted(before, reverse=True))
        self.assertEqual(heading.get_attribute("aria-sort"), "descending")

    def test_what_a_screen_reader_needs(self):
        nameless = self.script("""
            const name = (e) => e.getAttribute("aria-label") || e.textContent.trim() || e.title ||
              (e.getAttribute("aria-labelledby") && document.getElementById(e.getAttribute("aria-labelledby")));
            const controls = [...document.querySelectorAll("button, input, a, summary, section, [role], nav")];
            return controls.filter((e) => !name(e)).map((e) => e.outerHTML.slice(0, 120))""")
        self.assertEqual(nameless, [])
        self.assertEqual(self.script("return document.querySelectorAll('img:not([alt])').length"), 0)
        self.assertEqual(self.script("return document.documentElement.lang"), "en")
        levels = self.script("return [...document.querySelectorAll('h1, h2, h3, h4')].map((e) => Number(e.tagName[1]))")
        self.assertEqual(levels[0], 1)
        self.assertTrue(all(b - a <= 1 for a, b in zip(levels, levels[1:])))

    def test_nothing_is_wider_than_a_phone(self):
        browser = open_browser(390, 844)
        self.addCleanup(browser.quit)
        open_page(browser, self.page)
        self.assertLessEqual(browser.execute_script("return document.documentElement.scrollWidth"), 390)

    def test_hostile_names_do_nothing(self):
        write_result(self.folder / "hostile", names=HOSTILE)
        page = make_report(self.folder / "hostile", self.folder / "hostile.html")
        open_page(self.browser, page)
        self.assertNotIn("taken", self.browser.title)
        self.assertEqual(self.script("return document.querySelectorAll('h1').length"), 1)
        text = self.script("return document.getElementById('pair-table').textContent")
        self.assertIn(HOSTILE[0], text)
        self.assertIn(HOSTILE[1], text)

    def test_the_policy_holds(self):
        """Even a script that got into the page could not run, nor ask for anything."""
        self.script("""
            const script = document.createElement("script"); script.textContent = "window.taken = true"; document.body.append(script);
            const image = new Image(); image.src = "https://example.invalid/x.png"; document.body.append(image);""")
        time.sleep(0.3)
        self.assertIsNone(self.script("return window.taken"))
        blocked = [entry["message"] for entry in self.browser.get_log("browser")]
        self.assertEqual(len(blocked), 2, blocked)
        self.assertTrue(all("Content Security Policy" in message for message in blocked), blocked)
        self.browser.get_log("performance")
        open_page(self.browser, self.page)

    def test_a_thousand_pairs_open_fast(self):
        write_result(self.folder / "many", images=33, pairs=1000, records=3)
        page = make_report(self.folder / "many", self.folder / "many.html")
        loads = []
        for _ in range(3):  # the fastest: the machine may have other things to do
            open_page(self.browser, page)
            WebDriverWait(self.browser, 20).until(lambda _: self.script(
                "return performance.getEntriesByType('navigation')[0].loadEventEnd") > 0)
            loads.append(self.script(
                "const [n] = performance.getEntriesByType('navigation'); return n.loadEventEnd - n.startTime"))
        print(f"1000 pairs, {page.stat().st_size / 1e6:.1f} MB: loaded after {min(loads):.0f} ms of {max(loads):.0f} at most")
        self.assertLess(min(loads), 2000)
        self.assertEqual(self.script("return document.getElementById('pair-table').tBodies[0].rows.length"), 1000)


class EvaluationPage(Opened):
    """Of a run database with two networks."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="blindspot-report-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        database = cls.folder / "run.db"
        for command in (("demo", "--images", cls.folder / "pictures", "--count", 20, "--seed", 7),
                        ("evaluate", "demo-resnet", "demo-vit", "--images", cls.folder / "pictures", "-o", database,
                         "--device", "cpu", "--limit", 4, "--rounds", 3, "--iterations", 8, "--record-every", 4),
                        ("export", database, "--triangles", "-o", cls.folder / "triangles.csv")):
            result = run(*command)
            assert result.returncode == 0, result.stderr.decode()
        cls.page = make_report(database, cls.folder / "report.html")
        cls.rows = list(csv.DictReader((cls.folder / "triangles.csv").read_text().splitlines()))
        cls.browser = open_browser()
        cls.addClassCleanup(cls.browser.quit)

    def test_triangles_have_the_values_of_the_export(self):
        seen = set()
        for article in self.browser.find_elements(By.CSS_SELECTOR, ".triangle"):
            network = self.script("return arguments[0].querySelectorAll('h3 bdi')[2].textContent", article)
            source = self.script("return arguments[0].querySelectorAll('h3 bdi')[1].textContent", article)
            shown = self.script("""
                return [...arguments[0].querySelectorAll(".metrics dd")].map((e) => Number(e.textContent.replace("−", "-")))""",
                                article)
            values = self.script("return [...arguments[0].querySelectorAll('td:last-child')].map((e) => Number(e.textContent))",
                                 article)
            self.assertAlmostEqual(sum(values) / len(values), shown[1], delta=1e-4)
            columns = ("p_source", "mean", "fraction_0.0", "fraction_0.1", "fraction_0.2", "fraction_0.3", "edge_mean",
                       "edge_minimum")
            candidates = [[float(row[name]) for name in columns] for row in self.rows
                          if (row["model"], row["source"]) == (network, source)]
            self.assertEqual(len(candidates), 3)
            self.assertTrue(any(all(abs(a - b) < 6e-4 for a, b in zip(shown, row)) for row in candidates), (shown, candidates))
            seen.add(network)
        self.assertEqual(seen, {"demo-resnet", "demo-vit"})

    def test_each_network_has_its_image_grid(self):
        grids = self.browser.find_elements(By.CSS_SELECTOR, "#grid table.grid")
        names = [heading.text for heading in self.browser.find_elements(By.CSS_SELECTOR, "#grid h3")]
        self.assertEqual(names, ["demo-resnet", "demo-vit"])
        self.assertEqual(len(grids), 2)
        for grid in grids:
            self.see(grid)
            images = grid.find_elements(By.TAG_NAME, "img")
            self.assertGreaterEqual(len(images), 4)
            self.assertTrue(all(self.script("return arguments[0].naturalWidth", image) > 0 for image in images))
        self.assertEqual(self.browser.find_element(By.CSS_SELECTOR, "nav a").get_attribute("href").rsplit("#")[-1], "grid")

    def test_pointer_and_keyboard_read_a_triangle(self):
        _, area, caption = self.triangle()
        values = json.loads(self.script("return document.getElementById('data').textContent"))["triangles"][0]["values"]
        area.send_keys(Keys.HOME)
        self.assertIn(f"{values[0][0]:.4f}", caption.text)
        self.point_at(area, 0.3, 0.4)
        self.assertIn(f"{values[3][4]:.4f}", caption.text)

    def test_a_finger_scrolls_beside_the_triangle(self):
        area = self.browser.find_element(By.CSS_SELECTOR, ".map")
        action = lambda element: self.script("return getComputedStyle(arguments[0]).touchAction", element)
        self.assertEqual([action(area), action(area.find_element(By.TAG_NAME, "svg"))], ["auto", "auto"])
        self.assertEqual(action(area.find_element(By.CSS_SELECTOR, "svg path")), "none")

    def test_in_the_dark(self):
        browser = open_browser(dark=True)
        self.addCleanup(browser.quit)
        open_page(browser, self.page)
        colours = browser.execute_script("""
            const style = getComputedStyle(document.body);
            return [style.backgroundColor, style.color].map((c) => c.match(/\d+/g).slice(0, 3).map(Number))""")
        self.assertLess(max(colours[0]), 80)
        self.assertGreater(min(colours[1]), 180)

    def test_on_paper(self):
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        self.addCleanup(self.browser.execute_cdp_cmd, "Emulation.setEmulatedMedia", {"media": ""})
        shown = lambda selector: self.script(
            "return [...document.querySelectorAll(arguments[0])].filter((e) => e.getClientRects().length).length", selector)
        self.assertEqual((shown("nav"), shown(".scrub")), (0, 0))
        self.assertGreater(shown(".triangle svg"), 0)
        self.assertGreater(shown("#pair-table tr"), 24)
        printed = base64.b64decode(self.browser.execute_cdp_cmd("Page.printToPDF", {})["data"])
        self.assertTrue(printed.startswith(b"%PDF"))


if __name__ == "__main__":
    unittest.main()
