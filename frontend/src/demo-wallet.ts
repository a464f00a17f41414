// placeholder filled below
export {};
