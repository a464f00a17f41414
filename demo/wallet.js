// An EIP-6963 wallet for a page under test: it forwards every request to Python.
(() => {
  const listeners = new Map();
  const provider = {
    isAlthingTestWallet: true,
    async request({ method, params = [] }) {
      const answer = await window.__althingWalletRequest({ method, params });
      if (answer.error) {
        throw Object.assign(new Error(answer.error.message), answer.error);
      }
      return answer.result;
    },
    on(event, listener) {
      listeners.set(event, [...(listeners.get(event) ?? []), listener]);
      return provider;
    },
    removeListener(event, listener) {
      listeners.set(event, (listeners.get(event) ?? []).filter((item) => item !== listener));
      return provider;
    },
  };
  window.__althingWalletEmit = (event, payload) => {
    for (const listener of listeners.get(event) ?? []) listener(payload);
  };
  const info = Object.freeze({
    uuid: "6b1c9e1e-6a0c-4b44-9c52-1f2f6a7b0c11",
    name: "Test Wallet",
    icon: "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'/>",
    rdns: "org.althing.testwallet",
  });
  const announce = () =>
    window.dispatchEvent(
      new CustomEvent("eip6963:announceProvider", { detail: Object.freeze({ info, provider }) }),
    );
  window.addEventListener("eip6963:requestProvider", announce);
  announce();
})();
