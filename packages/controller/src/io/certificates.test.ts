import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeNodeKey } from '../../../../test/fakes/agent-identity.ts';
import { openCertificates } from './certificates.ts';
import { randomIds } from './ids.ts';

const DAY = 24 * 3_600_000;
const START = Date.UTC(2026, 0, 31, 12);
const IDENTITY = { set: 'demo', uuid: '11111111-2222-4333-8444-555555555555', generation: 3 };

let directory: string;
let now: number;
const open = () => openCertificates(join(directory, 'ca'), { clock: { now: () => now }, ids: randomIds });
beforeEach(async () => {
  now = START;
  directory = await mkdtemp(join(tmpdir(), 'sl-ca-'));
});
afterEach(() => rm(directory, { recursive: true }));

describe('the certificate authority', () => {
  it('is made once, private, and signs no authority below it', async () => {
    const first = await open();
    expect((await open()).caPem).toBe(first.caPem);
    const ca = new X509Certificate(first.caPem);
    expect(ca.ca && ca.verify(ca.publicKey)).toBe(true);
    expect(ca.keyUsage).toBeUndefined();
    expect((await stat(join(directory, 'ca/ca.pem'))).mode & 0o777).toBe(0o600);
    expect((await stat(join(directory, 'ca'))).mode & 0o777).toBe(0o700);
  });

  it.each([
    ['cut off', (text: string) => text.slice(0, 300)],
    ['emptied', () => ''],
  ])('is not made again when its file is %s', async (_name, damage) => {
    await open();
    const file = join(directory, 'ca/ca.pem');
    await writeFile(file, damage(await readFile(file, 'utf8')));
    await expect(open()).rejects.toMatchObject({ code: 'E_STORE', message: expect.stringContaining(file) });
  });
});

describe('the server certificate', () => {
  it('has the fixed name, and is renewed when less than half of its life is left', async () => {
    const certificates = await open();
    const first = await certificates.server();
    const certificate = new X509Certificate(first.certPem);
    expect(certificate.subjectAltName).toBe('DNS:controller.silverlining.internal');
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
    expect(certificate.checkIssued(new X509Certificate(certificates.caPem))).toBe(true);
    now += 182 * DAY;
    expect(await (await open()).server()).toEqual(first);
    now += DAY;
    const second = await (await open()).server();
    expect(second.certPem).not.toBe(first.certPem);
    expect(await certificates.server()).toEqual(second);
  });
});

describe('signCsr', () => {
  it('issues what the controller says, whatever the request asks for', async () => {
    const certificates = await open();
    const key = await makeNodeKey();
    const { certPem, keyHash } = await certificates.signCsr(key.csrPem, IDENTITY);
    const certificate = new X509Certificate(certPem);
    expect(certificate.subject).toBe(`CN=${IDENTITY.uuid}`);
    expect(certificate.ca).toBe(false);
    expect(certificate.publicKey.equals(key.publicKey)).toBe(true);
    expect(certificates.inspect(certificate)).toEqual({
      ours: true,
      usages: ['1.3.6.1.5.5.7.3.2'],
      names: `URI:spiffe://demo/node/${IDENTITY.uuid}/g/3`,
      keyHash,
      validFrom: START - DAY,
      validTo: START + 7 * DAY,
    });
    expect(keyHash).toMatch(/^[0-9a-f]{64}$/);
  });

  it('renews for the same key, with another serial and a new validity', async () => {
    const certificates = await open();
    const first = await certificates.signCsr((await makeNodeKey()).csrPem, IDENTITY);
    now += 60 * DAY;
    const old = new X509Certificate(first.certPem);
    const { certPem, keyHash } = await certificates.renew(old.publicKey, IDENTITY);
    const renewed = new X509Certificate(certPem);
    expect(keyHash).toBe(first.keyHash);
    expect(renewed.serialNumber).not.toBe(old.serialNumber);
    expect(certificates.inspect(renewed)).toMatchObject({ ours: true, keyHash, validTo: now + 7 * DAY });
  });

  it('refuses a request that its key did not sign', async () => {
    const certificates = await open();
    const der = Buffer.from((await makeNodeKey()).csrPem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
    const at = der.indexOf('somebody');
    der.write('anybody!', at);
    const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----`;
    expect(at).toBeGreaterThan(0);
    await expect(certificates.signCsr(forged, IDENTITY)).rejects.toMatchObject({
      code: 'E_IDENTITY',
      message: expect.stringContaining('not signed by the key'),
    });
  });

  it('refuses other curves, and what is no request', async () => {
    const certificates = await open();
    const { csrPem } = await makeNodeKey('P-384');
    await expect(certificates.signCsr(csrPem, IDENTITY)).rejects.toThrow('only P-256');
    for (const text of ['', 'hello', certificates.caPem]) {
      await expect(certificates.signCsr(text, IDENTITY)).rejects.toMatchObject({ code: 'E_IDENTITY' });
    }
  });

  it('knows a certificate of another authority with the same name', async () => {
    const other = await openCertificates(join(directory, 'other'), { clock: { now: () => now }, ids: randomIds });
    const { certPem } = await other.signCsr((await makeNodeKey()).csrPem, IDENTITY);
    expect((await open()).inspect(new X509Certificate(certPem))).toMatchObject({ ours: false });
    const ca = await open();
    expect(ca.inspect(new X509Certificate(ca.caPem))).toMatchObject({ ours: false });
  });
});
