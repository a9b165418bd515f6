import assert from "node:assert/strict";
import { DiskError, type DiskFile } from "../api/mod.ts";
import { FileHandle, OpenFiles } from "./open_files.ts";

/** Counts what is open; refuses like a process out of descriptors when `limit` are. */
class Descriptors {
  open = 0;
  opened = 0;
  limit = Infinity;

  readonly file = (): Promise<DiskFile> => {
    if (this.open >= this.limit) return Promise.reject(new DiskError("tooManyFiles", "Cannot open: too many"));
    this.open++;
    this.opened++;
    return Promise.resolve({ close: () => Promise.resolve(void this.open--) } as DiskFile);
  };
}

const nothing = () => Promise.resolve();

Deno.test("OpenFiles opens a file once, also for users at the same time", async () => {
  const descriptors = new Descriptors();
  const files = new OpenFiles(4);
  const handle = new FileHandle();
  const use = () => files.use(handle, descriptors.file, nothing);
  await Promise.all([use(), use()]);
  await use();
  assert.equal(descriptors.opened, 1);
  await files.close(handle);
  assert.deepEqual([files.count, descriptors.open], [0, 0]);
});

Deno.test("OpenFiles closes the file used longest ago", async () => {
  const descriptors = new Descriptors();
  const files = new OpenFiles(2);
  const [a, b, c] = [new FileHandle(), new FileHandle(), new FileHandle()];
  for (const handle of [a, b, a, c]) await files.use(handle, descriptors.file, nothing);
  assert.deepEqual([a, b, c].map(({ file }) => file !== undefined), [true, false, true]);
  assert.equal(descriptors.open, 2);
});

Deno.test("OpenFiles never closes a file in use", async () => {
  const descriptors = new Descriptors();
  const files = new OpenFiles(1);
  const [a, b] = [new FileHandle(), new FileHandle()];
  await files.use(a, descriptors.file, async () => {
    await files.use(b, descriptors.file, nothing);
    await files.close(a);
    assert.ok(a.file);
  });
});

Deno.test("OpenFiles gives its idle files back when the process runs out of descriptors", async () => {
  const descriptors = new Descriptors();
  const files = new OpenFiles(10);
  for (let i = 0; i < 3; i++) await files.use(new FileHandle(), descriptors.file, nothing);
  descriptors.limit = 3;
  await files.use(new FileHandle(), descriptors.file, nothing);
  assert.deepEqual([files.count, descriptors.open], [1, 1]);
  descriptors.limit = 0;
  await assert.rejects(files.use(new FileHandle(), descriptors.file, nothing), DiskError);
  assert.equal(files.count, 0);
});

Deno.test("OpenFiles waits for a file in use when there are fewer descriptors than users", async () => {
  const descriptors = new Descriptors();
  descriptors.limit = 2;
  const files = new OpenFiles(100);
  const soon = () => new Promise<void>((resolve) => queueMicrotask(resolve));
  const all = Array.from({ length: 30 }, () => files.use(new FileHandle(), descriptors.file, soon));
  await Promise.all(all);
  assert.equal(descriptors.opened, 30);
  descriptors.limit = 0;
  const none = Array.from({ length: 30 }, () => files.use(new FileHandle(), descriptors.file, soon));
  const outcomes = await Promise.allSettled(none);
  assert.ok(outcomes.every(({ status }) => status === "rejected"));
});

Deno.test("OpenFiles.closeIdle() closes what wasn't used since the last time", async () => {
  const descriptors = new Descriptors();
  const files = new OpenFiles(4);
  const [a, b] = [new FileHandle(), new FileHandle()];
  await files.use(a, descriptors.file, nothing);
  assert.equal(await files.closeIdle([a, b]), true);
  await files.use(b, descriptors.file, nothing);
  assert.equal(await files.closeIdle([a, b]), true);
  assert.deepEqual([a.file, b.file !== undefined], [undefined, true]);
  assert.equal(await files.closeIdle([a, b]), false);
});
