import { Argument, Command, Option } from 'commander';
import type { Installable } from '../../backends/install/install.js';

interface InstallFlags {
  gpu?: boolean;
  source?: 'package' | 'wheel';
  force?: boolean;
}

const device = () => new Argument('<device>', 'which one').choices(['tensorflow', 'webgpu']);

export function deviceCommand(): Command {
  return new Command('device')
    .description('install and remove the devices that do not come with fourfold')
    .addCommand(installCommand())
    .addCommand(removeCommand());
}

function installCommand(): Command {
  return new Command('install')
    .description('install a device into a folder of its own, and try it')
    .addArgument(device())
    .option('--gpu', 'tensorflow: for an NVIDIA GPU, with the libraries of CUDA')
    .addOption(
      new Option(
        '--source <source>',
        "tensorflow: take libtensorflow only by the package's own download, or from a wheel of the Python registry",
      ).choices(['package', 'wheel']),
    )
    .option('--force', 'again, even where it is installed')
    .action(async (name: Installable, options: InstallFlags) => {
      const { bytesBelow, installDevice } = await import('../../backends/install/install.js');
      const { deviceFolder } = await import('../../backends/packages.js');
      const began = performance.now();
      const { fresh, proof } = await installDevice(name, { ...options, say: (line) => console.log(line) });
      if (!fresh) return console.log(`${name} is installed (${proof}); --force installs it again`);
      const megabytes = Math.round((await bytesBelow(deviceFolder(name))) / 1e6);
      const seconds = ((performance.now() - began) / 1000).toFixed(0);
      console.log(`${name} is installed: ${proof}. ${megabytes} MB in ${deviceFolder(name)}, ${seconds} s. Use it with device: ${name}`);
    });
}

function removeCommand(): Command {
  return new Command('remove')
    .description('remove a device that was installed so')
    .addArgument(device())
    .action(async (name: Installable) => {
      const { removeDevice } = await import('../../backends/install/install.js');
      console.log((await removeDevice(name)) ? `${name} is removed` : `${name} is not installed by fourfold: nothing to remove`);
    });
}
