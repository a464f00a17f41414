export function wizardStart(_root: HTMLElement): void {}
