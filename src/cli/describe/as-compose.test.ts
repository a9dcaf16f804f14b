import assert from 'node:assert/strict';
import test from 'node:test';
import { asCompose } from './as-compose.ts';

test('asCompose() puts the limits of block devices into blkio_config', () => {
  const settings = [
    { flag: 'blkio-weight', value: '300' },
    { flag: 'blkio-weight-device', value: '/dev/sda:400' },
    { flag: 'device-read-bps', value: '/dev/sda:1048576' },
    { flag: 'device-read-bps', value: '/dev/sdb:1024' },
    { flag: 'device-read-iops', value: '/dev/sda:120' },
    { flag: 'device-write-bps', value: '/dev/sda:2048' },
    { flag: 'device-write-iops', value: '/dev/sda:30' },
  ];
  const { document, unsaid } = asCompose({ settings, image: 'app:1', args: [], unsaid: [] });
  assert.deepEqual(unsaid, []);
  const { services } = document as { services: { service: Record<string, unknown> } };
  assert.deepEqual(services.service['blkio_config'], {
    weight: 300,
    weight_device: [{ path: '/dev/sda', weight: 400 }],
    device_read_bps: [
      { path: '/dev/sda', rate: 1_048_576 },
      { path: '/dev/sdb', rate: 1024 },
    ],
    device_read_iops: [{ path: '/dev/sda', rate: 120 }],
    device_write_bps: [{ path: '/dev/sda', rate: 2048 }],
    device_write_iops: [{ path: '/dev/sda', rate: 30 }],
  });
});
