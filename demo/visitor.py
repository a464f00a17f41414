"""A person at the pages: signs in, votes, proposes. Used by the proof and the browser tests."""

from dataclasses import dataclass, field

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect

from demo.browser import Wallet

# The machine may be slow and a block takes a second; nothing here measures time.
TIMEOUT_MS = 60_000
SUPPORT_LABELS = {0: "Against", 1: "For", 2: "Abstain"}


@dataclass
class Visitor:
    """One browser profile with one wallet."""

    page: Page
    wallet: Wallet
    url: str
    #: What the browser's console complained about: CSP violations and script errors.
    complaints: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, browser: Browser, wallet: Wallet, url: str, **options: object) -> "Visitor":
        context = browser.new_context(**options)  # type: ignore[arg-type]
        context.set_default_timeout(TIMEOUT_MS)
        wallet.install(context)
        visitor = cls(context.new_page(), wallet, url)
        visitor.page.on("console", visitor._hear)
        visitor.page.on("pageerror", lambda error: visitor.complaints.append(str(error)))
        return visitor

    def _hear(self, message: ConsoleMessage) -> None:
        text = message.text
        if "Content Security Policy" in text or "Refused to" in text:
            self.complaints.append(text)

    def close(self) -> None:
        self.page.context.close()

    def visit(self, path: str) -> None:
        self.page.goto(self.url + path)

    @property
    def dialog(self) -> Locator:
        return self.page.locator("dialog[open]")

    @property
    def status(self) -> Locator:
        """The sentence in which the transaction dialog says where it is."""
        return self.dialog.locator("[data-status]")

    # --- signing in -----------------------------------------------------------------
    def sign_in(self) -> None:
        self.visit("/")
        self.page.get_by_role("button", name="Sign in", exact=True).first.click()
        self.wallet_choose()
        self.page.get_by_text("Account 0x").wait_for()

    def wallet_choose(self) -> None:
        self.dialog.get_by_role("button", name="Test Wallet").click()

    # --- transactions ---------------------------------------------------------------
    def transaction_finish(self) -> None:
        """Wait until the page has seen its own transaction, then close the dialog."""
        expect(self.status).to_contain_text("Done", timeout=TIMEOUT_MS)
        self.dialog.get_by_role("button", name="Close", exact=True).last.click()

    def vote(self, number: int, support: int, reason: str = "") -> None:
        self.visit(f"/proposals/{number}/")
        form = self.page.locator("form[data-vote]")
        form.get_by_label(SUPPORT_LABELS[support], exact=True).check()
        if reason:
            form.get_by_label("Reason (optional)").fill(reason)
        form.locator("button[data-write]").click()
        self.transaction_finish()

    # --- proposing -------------------------------------------------------------------
    def propose_parameter(self, name: str, value: int, *, title: str, text: str) -> int:
        """Write a proposal in the wizard and sign it; returns its number.

        `value` is in the unit of the registry's form (seconds, ALT, a count).
        """
        self.visit(f"/proposals/new/?parameter={name}")
        page = self.page
        entry = page.get_by_label(f"New value of {name}")
        entry.fill(str(value))
        expect(page.get_by_text("The registry accepts this value now.")).to_be_visible(
            timeout=TIMEOUT_MS
        )
        page.get_by_role("button", name="Add to the proposal").click()
        # The registry is asked once more before the action is taken in.
        page.locator("[data-actions] > li").first.wait_for()
        page.get_by_role("button", name="Next: text").click()
        page.get_by_label("Title", exact=True).fill(title)
        page.get_by_label("Text", exact=True).fill(text)
        page.get_by_role("button", name="Next: check").click()
        page.get_by_role("button", name="Next: review").click()
        page.get_by_role("button", name="Submit the proposal").click()
        expect(self.status).to_contain_text("Done", timeout=TIMEOUT_MS)
        self.dialog.get_by_role("link", name="proposal").first.click()
        page.wait_for_url("**/proposals/*/", timeout=TIMEOUT_MS)
        return int(page.url.rstrip("/").rsplit("/", 1)[1])
