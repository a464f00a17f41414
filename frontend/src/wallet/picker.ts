// Which wallet? Asked once; remembered by rdns.
import { h } from "../lib/dom";
import { choiceRemembered, wallets, walletsReady } from "./discovery";
import { WalletError } from "./errors";
import { modalOpen } from "./modal";
import type { Wallet } from "./types";

/** The remembered wallet, or the one the person picks. Throws `rejected` when they close the list. */
export async function walletPick(always = false): Promise<Wallet> {
  await walletsReady();
  const remembered = wallets.byRdns(choiceRemembered());
  if (remembered && !always) return remembered;
  return new Promise((resolve, reject) => {
    let picked: Wallet | null = null;
    const list = h("div", { class: "wallet-list", role: "group", "aria-label": "Wallets" });
    const fill = () => list.replaceChildren(...(wallets.wallets.length ? wallets.wallets.map(entry) : [none()]));
    const modal = modalOpen("Choose a wallet", () => {
      wallets.removeEventListener("changed", fill);
      if (picked) resolve(picked);
      else reject(new WalletError("rejected", "You chose no wallet. Nothing was sent."));
    });
    const entry = (wallet: Wallet) => {
      const image = wallet.info.icon ? h("img", { src: wallet.info.icon, alt: "" }) : null;
      const button = h("button", { type: "button", class: "button", "data-wallet": wallet.info.rdns }, image, wallet.info.name);
      button.addEventListener("click", () => {
        picked = wallet;
        modal.close();
      });
      return button;
    };
    wallets.addEventListener("changed", fill);
    fill();
    modal.body.append(list);
    modal.foot.remove();
  });
}

function none(): HTMLElement {
  return h(
    "p",
    { class: "notice" },
    "No wallet was found in this browser. Install one as an extension, or open this page in your wallet's own browser, then try again.",
  );
}
